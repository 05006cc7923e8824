import { MillraceError } from "./error.ts";
import type { Place } from "./place.ts";
import { bytesOf } from "./setting.ts";

// What every adapter reads from its URL, in one way. All of it throws URL_INVALID, and names the place without secrets.

/** Why the place cannot be used: a clause such as `it names no host`. */
export function unusablePlace({ shown }: Pick<Place, "shown">, why: string, remedy: string): MillraceError {
  return new MillraceError("URL_INVALID", `The URL ${shown} cannot be used: ${why}`, { remedy });
}

/** Undefined also for an empty one. */
export function option(place: Place, name: string): string | undefined {
  const text = place.options.get(name);
  return text === "" ? undefined : text;
}

/** A part of a URL as it was meant, its `%40` an `@`. */
export function decoded(place: Place, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    const remedy = "Write a % in a name or password as %25.";
    throw unusablePlace(place, "it has a % that is not followed by two digits", remedy);
  }
}

export function oneOf<Value extends string>(
  place: Place,
  name: string,
  values: readonly Value[],
  otherwise: Value,
): Value {
  const text = option(place, name);
  if (text === undefined) return otherwise;
  const found = values.find((value) => value === text);
  if (found !== undefined) return found;
  throw unusablePlace(place, `it has an unknown ${name}`, `${name} is one of ${values.join(", ")}.`);
}

export function wholeNumber(place: Place, name: string, min: number, max: number): number | undefined {
  const text = option(place, name);
  return text === undefined ? undefined : wholeNumberOf(place, name, text, min, max);
}

/** The same for a text that comes from elsewhere, such as the environment. */
export function wholeNumberOf(place: Place, name: string, text: string, min: number, max: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw unusablePlace(place, `its ${name} is not a number from ${min} to ${max}`, "Correct the number.");
}

const largestMin = 2 ** 20;

/** The option `max`, in bytes. */
export function maxBytes(place: Place): number | undefined {
  const text = option(place, "max");
  const bytes = text === undefined ? undefined : bytesOf(text);
  if (text === undefined || (bytes !== undefined && bytes >= largestMin)) return bytes;
  throw unusablePlace(place, "its max is not a size of at least 1 MB", "Write it as max=10GB.");
}

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The option `retention`, in ms. */
export function retentionMs(place: Place): number | undefined {
  return timeMs(place, "retention");
}

/** An option such as `7d`, in ms. */
export function timeMs(place: Place, name: string): number | undefined {
  const text = option(place, name);
  if (text === undefined) return undefined;
  const [, count = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (unitsMs[unit] ?? 0);
  if (ms > 0) return ms;
  throw unusablePlace(place, `its ${name} is not a time`, `Write it as ${name}=7d, or with h, m or s.`);
}

export function refuseUnknownOptions(place: Place, known: readonly string[]): void {
  const unknown = [...place.options.keys()].find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw unusablePlace(place, `it has the unknown option ${unknown}`, `Options are ${known.join(", ")}.`);
}
