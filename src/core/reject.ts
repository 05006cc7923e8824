import type { JsonObject } from "./json.ts";

/**
 * Why a record was refused. One record may have several reasons.
 * Framing: `malformed` `too_long` `encoding` `columns` `schema`. Contract: `missing` `type` and the rules by their names.
 * Steps: `step`. Sink: `duplicate` `reference` `refused`.
 */
export const reasonCodes = [
  "malformed",
  "too_long",
  "encoding",
  "columns",
  "schema",
  "missing",
  "type",
  "min",
  "max",
  "minLength",
  "maxLength",
  "pattern",
  "oneOf",
  "check",
  "step",
  "duplicate",
  "reference",
  "refused",
] as const;

export type ReasonCode = (typeof reasonCodes)[number];

export interface Reason {
  readonly code: ReasonCode;
  /** The contract's column; absent when the whole record is at fault. */
  readonly column?: string;
  /** The failing value as it stood in the record, shortened to `limit.reasonValueChars`; absent when missing. */
  readonly value?: string;
  /** One sentence for people, with the rule: `"12x" is not an integer`. */
  readonly message: string;
}

/** A record that failed, with its original bytes, position and reasons. */
export interface Reject {
  /** 0-based number of the record within its batch. */
  readonly record: number;
  /** 1-based line on which the record starts, where the source has lines. */
  readonly line: number | undefined;
  /** Byte of the decoded source (or offset of the log) at which the record starts. */
  readonly offset: bigint;
  /** The record as it came, cut to `limit.rejectBytes` when `truncated`. */
  readonly bytes: Uint8Array;
  readonly truncated: boolean;
  readonly reasons: readonly Reason[];
}

/** A reject as a sink keeps it. */
export interface StoredReject extends Reject {
  readonly id: bigint;
  readonly pipeline: string;
  readonly lane: string;
  readonly batch: bigint;
  readonly source: string;
  /** How to read `bytes` again: the record format and its settings. */
  readonly format: JsonObject;
  /** `open` until a replay of it has been committed. */
  readonly state: "open" | "replayed";
  readonly attempts: number;
  /** ISO 8601, UTC. */
  readonly rejectedAt: string;
}

/** A value cut to what a reason may show. */
export function shortenValue(value: string, maxChars: number): string {
  return value.length <= maxChars ? value : `${value.slice(0, maxChars)}… (${value.length} characters)`;
}
