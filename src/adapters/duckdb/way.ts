import type { Sink } from "../../ports/sink.ts";

/**
 * A way to work with the file: on the engine of this process, or through another process that has it. Promises are those
 * of the sink's methods.
 */
export interface Way
  extends Pick<
    Sink,
    | "open"
    | "prepare"
    | "define"
    | "claim"
    | "checkpoint"
    | "trim"
    | "reserveBatches"
    | "begin"
    | "records"
    | "query"
    | "close"
  > {
  /** It leads nowhere any more: the process at its end has gone. */
  readonly isLost: boolean;
}
