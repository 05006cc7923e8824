import { resolve } from "node:path";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { Place } from "../../core/place.ts";
import { bytesOf } from "../../core/setting.ts";

/** A log URL, read once. */
export interface Address {
  /** The URL without its options. */
  readonly shown: string;
  /** Absolute. */
  readonly folder: string;
  /** Undefined: as many as there are, and `standardLanes` for a log that is created. */
  readonly lanes: number | undefined;
  /** Records that every group has settled are kept for this long at least, unless room is needed. */
  readonly retentionMs: number;
  /** What the records may take of the disk. */
  readonly bytesMax: number;
}

const knownOptions: readonly string[] = ["lanes", "retention", "max"];

export const standardLanes = 8;
const standardRetention = "7d";
const standardMax = "10GB";
const bytesMaxMin = 2 ** 20;

/** Reads `log:FOLDER[?lanes=8&retention=7d&max=10GB]`; what is left out is as it stands here. Throws URL_INVALID. */
export function readAddress(place: Place): Address {
  const unknown = [...place.options.keys()].find((name) => !knownOptions.includes(name));
  if (unknown !== undefined) {
    throw invalid(place, `it has the unknown option ${unknown}`, `Options are ${knownOptions.join(", ")}.`);
  }
  if (place.path === "")
    throw invalid(place, "it names no folder", "Write it as log:FOLDER, without slashes before it.");
  return {
    shown: place.shown,
    folder: resolve(place.path),
    lanes: lanesOf(place),
    retentionMs: retentionOf(place),
    bytesMax: bytesMaxOf(place),
  };
}

function lanesOf(place: Place): number | undefined {
  const text = place.options.get("lanes");
  const lanes = Number(text);
  if (text === undefined || (/^\d{1,5}$/.test(text) && lanes >= 1 && lanes <= limit.embeddedLanes)) {
    return text === undefined ? undefined : lanes;
  }
  throw invalid(place, `its lanes are not a number from 1 to ${limit.embeddedLanes}`, "Write it as lanes=8.");
}

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function retentionOf(place: Place): number {
  const text = place.options.get("retention") ?? standardRetention;
  const [, count = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (units[unit] ?? 0);
  if (ms > 0) return ms;
  throw invalid(place, "its retention is not a time", "Write it as retention=7d, or with h, m or s.");
}

function bytesMaxOf(place: Place): number {
  const bytes = bytesOf(place.options.get("max") ?? standardMax);
  if (bytes !== undefined && bytes >= bytesMaxMin) return bytes;
  throw invalid(place, "its max is not a size of at least 1 MB", "Write it as max=10GB.");
}

function invalid({ shown }: Pick<Place, "shown">, why: string, remedy: string): MillraceError {
  return new MillraceError("URL_INVALID", `The URL ${shown} cannot be used: ${why}`, { remedy });
}
