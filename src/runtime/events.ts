import type { Counts } from "../core/ledger.ts";
import type { Json } from "../core/json.ts";
import type { Reject } from "../core/reject.ts";
import type { Change } from "../ports/transform.ts";

/** What a run tells those who watch it. Figures are since the last event of the kind unless said otherwise. */
export type RunEvent =
  /** The table stands; `ddl` is what created it when `created`. */
  | { readonly event: "prepared"; readonly table: string; readonly created: boolean; readonly ddl: string }
  /** A lane was claimed. `sizeBytes` is what is left to read of it, where known. */
  | {
      readonly event: "lane";
      readonly source: string;
      readonly resumed: boolean;
      readonly sizeBytes: number | undefined;
    }
  /** A batch was committed. */
  | { readonly event: "batch"; readonly source: string; readonly counts: Counts; readonly sizeBytes: number }
  /** Rejects of a committed batch, at most `limit.rejectsShown` of it. */
  | { readonly event: "rejects"; readonly source: string; readonly rejects: readonly Reject[] }
  /** The lane is read to its end, or was before. */
  | { readonly event: "laneDone"; readonly source: string; readonly alreadyLoaded: number }
  /** Waiting for the sink. `text` says what for. */
  | { readonly event: "waiting"; readonly text: string; readonly pauseMs: number }
  /** What the steps changed in a committed batch: of each step and column the count, and the first examples. */
  | { readonly event: "changes"; readonly source: string; readonly changes: readonly Change[] }
  /** What a step found out of all rows before the first was loaded. */
  | { readonly event: "measured"; readonly step: string; readonly rows: number; readonly parameters: Json }
  /** How much waits in a queue that is read, now and then. */
  | { readonly event: "backlog"; readonly source: string; readonly waiting: number; readonly ageMs: number }
  | { readonly event: "notice"; readonly text: string };

export type OnEvent = (event: RunEvent) => void;

/** How a run ended. */
export interface RunSummary extends Counts {
  readonly table: string;
  /** Records of the lanes at hand that earlier runs, or other processes meanwhile, had committed. */
  readonly alreadyLoaded: number;
  readonly balanced: boolean;
  /** Stopped by a signal before the end; the same command goes on. */
  readonly interrupted: boolean;
  /** What the steps that come with Millrace changed, by step and column; none without such steps. */
  readonly changes: readonly Change[];
  readonly lanes: number;
  readonly sizeBytes: number;
  readonly ms: number;
}
