import { resolve } from "node:path";
import { limit } from "../../core/limit.ts";
import type { Place } from "../../core/place.ts";
import { maxBytes, refuseUnknownOptions, retentionMs, unusablePlace } from "../../core/place-options.ts";

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
const standardRetentionMs = 7 * 24 * 3_600_000;
const standardBytesMax = 10 * 2 ** 30;

/** Reads `log:FOLDER[?lanes=8&retention=7d&max=10GB]`; what is left out is as it stands here. Throws URL_INVALID. */
export function readAddress(place: Place): Address {
  refuseUnknownOptions(place, knownOptions);
  if (place.path === "")
    throw unusablePlace(place, "it names no folder", "Write it as log:FOLDER, without slashes before it.");
  return {
    shown: place.shown,
    folder: resolve(place.path),
    lanes: lanesOf(place),
    retentionMs: retentionMs(place) ?? standardRetentionMs,
    bytesMax: maxBytes(place) ?? standardBytesMax,
  };
}

function lanesOf(place: Place): number | undefined {
  const text = place.options.get("lanes");
  const lanes = Number(text);
  if (text === undefined || (/^\d{1,5}$/.test(text) && lanes >= 1 && lanes <= limit.embeddedLanes)) {
    return text === undefined ? undefined : lanes;
  }
  throw unusablePlace(place, `its lanes are not a number from 1 to ${limit.embeddedLanes}`, "Write it as lanes=8.");
}
