import type { JsonObject } from "./json.ts";

/**
 * How far in a lane, as its source counts: `{byte, row, line}` in a file, `{offset, row}` in a log. Opaque to all but
 * the source that made it; kept as JSON text in the sink. Every position carries `row`, the records read before it.
 */
export interface Position extends JsonObject {
  readonly row: number;
}

/** One row of `millrace_checkpoint`. */
export interface Checkpoint {
  readonly pipeline: string;
  readonly lane: string;
  readonly epoch: number;
  readonly position: Position;
  /** What the lane was called by people when it was claimed: a file name, a topic and partition. */
  readonly source: string;
}

/** The right to commit to a lane, until someone claims it again with a higher epoch. */
export interface Claim extends Checkpoint {
  /** True when the checkpoint was there before this claim. */
  readonly resumed: boolean;
}
