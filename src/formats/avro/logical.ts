import { ValueFault } from "./cursor.ts";

const dayMs = 86_400_000;
/** A Date reaches as far from 1970. */
const dateMsMax = 8.64e15;

/** Parts of a second that a time counts, and the digits that they take behind the point. */
export const timeUnits = {
  millis: { perMs: 1, digits: 3 },
  micros: { perMs: 1_000, digits: 6 },
  nanos: { perMs: 1_000_000, digits: 9 },
} as const;

export type TimeUnit = keyof typeof timeUnits;

/** Days since 1970-01-01 as ISO 8601. */
export function dayText(days: number): string {
  return isoOf(days * dayMs).split("T", 1)[0] as string;
}

/** A count since 1970-01-01T00:00:00 as ISO 8601, without zone. */
export function timestampText(count: number | bigint, unit: TimeUnit): string {
  const { perMs } = timeUnits[unit];
  const [ms, rest] = divided(count, perMs);
  return isoOf(ms).slice(0, -1) + restText(rest, unit);
}

/** A count since midnight as ISO 8601. */
export function clockText(count: number | bigint, unit: TimeUnit): string {
  const { perMs } = timeUnits[unit];
  const [ms, rest] = divided(count, perMs);
  if (ms < 0 || ms >= dayMs) throw new ValueFault("malformed", "a time of day is out of bounds");
  return new Date(ms).toISOString().slice(11, -1) + restText(rest, unit);
}

function divided(count: number | bigint, perMs: number): readonly [number, number] {
  if (typeof count === "number") {
    const ms = Math.floor(count / perMs);
    return [ms, count - ms * perMs];
  }
  const by = BigInt(perMs);
  const rest = ((count % by) + by) % by;
  return [Number((count - rest) / by), Number(rest)];
}

function restText(rest: number, unit: TimeUnit): string {
  const { digits } = timeUnits[unit];
  return digits === 3 ? "" : String(rest).padStart(digits - 3, "0");
}

function isoOf(ms: number): string {
  if (Math.abs(ms) > dateMsMax) throw new ValueFault("malformed", "a date is out of bounds");
  return new Date(ms).toISOString();
}

/** A whole number in two's complement, big end first, with `scale` of its digits behind the point. */
export function decimalText(bytes: Uint8Array, scale: number): string {
  const unsigned = bytes.byteLength === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  const unscaled = BigInt.asIntN(8 * bytes.byteLength, unsigned);
  const sign = unscaled < 0n ? "-" : "";
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  if (scale === 0) return sign + digits;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The sixteen bytes of a UUID as its text. */
export function uuidText(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
