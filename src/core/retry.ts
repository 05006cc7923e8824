import type { ErrorCode } from "./error.ts";
import { limit } from "./limit.ts";

/** What a failure of a sink or source asks for. */
export type FailureKind =
  /** A row is at fault: isolate it and go on. */
  | "row"
  /** It may work later: wait and try the same batch again. */
  | "wait"
  /** It will not work again as it is: stop and say so. */
  | "stop";

/**
 * Pause before attempt `attempt` (1 is the first retry), in ms: doubles from `retryFirstMs` to `retryMaxMs`, the upper
 * half of it at random so that processes do not return together. `random` is in [0, 1).
 */
export function retryPauseMs(attempt: number, random: number): number {
  const full = Math.min(limit.retryMaxMs, limit.retryFirstMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(full / 2 + (full / 2) * random);
}

const passing: ReadonlySet<ErrorCode> = new Set(["SINK_BUSY", "SINK_FULL", "SINK_UNREACHABLE"]);

/** Whether what the code says passes, by itself or once somebody has seen to it. */
export function passes(code: ErrorCode): boolean {
  return passing.has(code);
}
