import { limit } from "../core/limit.ts";
import type { Mode } from "../core/pipeline.ts";
import type { Reject } from "../core/reject.ts";
import type { RunEvent, RunSummary } from "../runtime/events.ts";
import { countOf, countText, durationText, perSecond } from "./figures.ts";
import { changeText } from "./change-text.ts";
import { commandLine } from "./invocation.ts";
import { rejectLines } from "./reject-lines.ts";
import type { Screen } from "./screen.ts";
import { safeText } from "./shown.ts";

interface SeenReject {
  readonly source: string;
  readonly reject: Reject;
}

/** Keeps the first rejects of a run for its summary. */
export class FirstRejects {
  readonly seen: SeenReject[] = [];

  observe(event: RunEvent): void {
    if (event.event !== "rejects") return;
    const room = limit.rejectsShown - this.seen.length;
    this.seen.push(...event.rejects.slice(0, room).map((reject) => ({ source: event.source, reject })));
  }
}

export interface LoadOutcome {
  readonly summary: RunSummary;
  readonly mode: Mode;
  /** The sink as given on the command line. */
  readonly to: string;
  readonly shown: string;
  readonly rejects: readonly SeenReject[];
}

/** What a load did, for people: figures that add up, the first rejects, what to do next. */
export function printLoadSummary(outcome: LoadOutcome, screen: Screen): void {
  const { summary, mode, shown } = outcome;
  const where = summary.table === shown ? "" : ` in ${safeText(shown)}`;
  screen.line(`${screen.style("bold", safeText(summary.table))}${where} (${mode})`);
  screen.line(`  ${sumText(summary)}`);
  screen.line(`  ${rateText(summary)}`);
  if (summary.read === 0 && summary.alreadyLoaded > 0 && !summary.interrupted) {
    screen.line("  Nothing is new: this content was loaded before. --again loads it once more.");
  }
  for (const change of summary.changes) screen.line(`  ${safeText(changeText(change))}`);
  printRejects(outcome, screen);
}

/** `read 1,999 = loaded 1,929 + merged 0 + filtered 0 + rejected 70` */
function sumText({ read, loaded, merged, filtered, rejected }: RunSummary): string {
  const parts = Object.entries({ loaded, merged, filtered, rejected }).map(
    ([name, count]) => `${name} ${countText(count)}`,
  );
  return `read ${countText(read)} = ${parts.join(" + ")}`;
}

function rateText({ read, alreadyLoaded, ms }: RunSummary): string {
  const rate = read === 0 ? "" : `, ${countOf(perSecond(read, ms), "row")}/s`;
  return `already loaded ${countText(alreadyLoaded)}; ${durationText(ms)}${rate}`;
}

function printRejects({ summary, rejects, to }: LoadOutcome, screen: Screen): void {
  if (summary.rejected === 0) return;
  screen.line();
  screen.line(screen.style("yellow", `${countOf(summary.rejected, "record")} rejected; the first:`));
  for (const { source, reject } of rejects) {
    for (const line of rejectLines(source, reject, screen.columns)) screen.line(line);
  }
  screen.line();
  screen.line(`  all of them        ${commandLine("rejects", "list", "--to", to)}`);
  screen.line(`  send them again    ${commandLine("rejects", "replay", "--to", to, "--all")}`);
}
