import type { Counts } from "../core/ledger.ts";
import type { KnownPipeline } from "./catalogue.ts";
import type { Spark } from "./figures.ts";
import type { PipelineState } from "./service.ts";

/** What somebody should look at, in words. */
export interface Attention {
  readonly level: "error" | "warning";
  readonly pipeline: string | null;
  readonly text: string;
  readonly remedy: string | null;
  /** Path of the console. */
  readonly link: string;
}

/** How a pipeline of the service fares, as JSON. */
export interface PipelineNow {
  readonly name: string;
  readonly application: string;
  /** The name of its place. */
  readonly warehouse: string;
  readonly kind: KnownPipeline["kind"];
  readonly from: string;
  readonly to: string;
  readonly table: string;
  readonly stages: readonly { readonly kind: string; readonly text: string }[];
  /** `elsewhere`: another process of the service runs it. */
  readonly state: PipelineState["state"] | "elsewhere";
  readonly error: { readonly code: string; readonly text: string } | null;
  readonly lastBatch: ({ readonly at: string; readonly source: string } & Counts) | null;
  readonly rowsPerSecond: number;
  readonly rejectsPerSecond: number;
  readonly lagRecords: number | null;
  readonly lagBytes: number | null;
  readonly delayMs: { readonly p50: number; readonly p99: number } | null;
  readonly openRejects: number;
  readonly sinceStart: Readonly<Record<keyof Counts, string>>;
  readonly spark: Spark;
}

/** What flows now: `GET /api/overview`. */
export interface OverviewNow {
  readonly at: string;
  readonly totals: {
    readonly rowsPerSecond: number;
    readonly rejectsPerSecond: number;
    readonly rows: string;
    readonly rejects: string;
    readonly openRejects: number;
    readonly running: number;
    readonly waiting: number;
  };
  readonly attention: readonly Attention[];
  readonly pipelines: readonly PipelineNow[];
}
