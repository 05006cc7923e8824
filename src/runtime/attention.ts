import type { Kept } from "./look.ts";
import type { Attention, PipelineNow } from "./overview-shape.ts";
import type { PipelineState } from "./service.ts";

const levels: readonly Attention["level"][] = ["error", "warning"];

export const bySeverity = (a: Attention, b: Attention): number => levels.indexOf(a.level) - levels.indexOf(b.level);

/** A pipeline that is this far behind at the rate of now is told of. */
const behindSeconds = 60;
const slowMs = 60_000;

export function attentionOf(
  now: PipelineNow,
  state: Pick<PipelineState, "error"> | undefined,
  kept: Kept,
): readonly Attention[] {
  const { name: pipeline } = now;
  const found: Attention[] = [];
  const add = (level: Attention["level"], text: string, remedy: string | null, link: string): void =>
    void found.push({ level, pipeline, text, remedy, link });
  const page = `pipelines/${encodeURIComponent(pipeline)}`;
  const rejects = `rejects?pipeline=${encodeURIComponent(pipeline)}`;
  if (now.state === "waiting" && state?.error !== undefined) {
    add("error", `${pipeline} failed and waits to be tried again: ${state.error.message}`, state.error.remedy, page);
  } else if (kept.error !== undefined) {
    add("error", `What ${pipeline} keeps cannot be asked for: ${kept.error.message}`, kept.error.remedy, page);
  }
  if (now.openRejects > 0) {
    const records = now.openRejects === 1 ? "1 record was" : `${now.openRejects} records were`;
    add(
      "warning",
      `${records} rejected by ${pipeline}`,
      "Look at the reasons, correct the records and replay them.",
      rejects,
    );
  }
  const { lagRecords, rowsPerSecond, rejectsPerSecond, delayMs } = now;
  if (lagRecords !== null && lagRecords > 0 && lagRecords > behindSeconds * (rowsPerSecond + rejectsPerSecond) + 100) {
    add("warning", `${pipeline} is ${lagRecords} records behind its source`, null, page);
  } else if (delayMs !== null && delayMs.p50 > slowMs) {
    const seconds = Math.round(delayMs.p50 / 1_000);
    add("warning", `Records of ${pipeline} take ${seconds} seconds to their table`, null, page);
  }
  return found;
}
