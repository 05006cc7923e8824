import { addCounts, type Counts, noCounts } from "../core/ledger.ts";
import type { RunEvent, RunSummary } from "../runtime/events.ts";
import { countText, durationText } from "./figures.ts";
import { rejectLines } from "./reject-lines.ts";
import { changeText } from "./change-text.ts";
import type { Screen } from "./screen.ts";
import { safeText } from "./shown.ts";

const everyMs = 3_000;

/** What a pipeline that runs says: a line when a source is read to its end, and every few seconds meanwhile. */
export class RunLog {
  readonly #screen: Screen;
  readonly #name: string;
  readonly #now: () => number;
  /** Committed since the last line, by source. */
  readonly #counts = new Map<string, Counts>();
  #saidMs: number;
  #waiting = "";

  constructor(screen: Screen, name: string, now: () => number) {
    this.#screen = screen;
    this.#name = name;
    this.#now = now;
    this.#saidMs = now();
  }

  observe(event: RunEvent): void {
    switch (event.event) {
      case "prepared":
        if (event.created) this.#say(`created the table ${event.table}`);
        return;
      case "batch":
        this.#waiting = "";
        this.#counts.set(event.source, addCounts(this.#counts.get(event.source) ?? noCounts, event.counts));
        if (this.#now() - this.#saidMs >= everyMs) this.#tellCounts();
        return;
      case "laneDone":
        this.#tellCounts(event.source);
        return;
      case "rejects":
        this.#tellReject(event);
        return;
      case "waiting":
        // Said once for a trouble, not with each attempt.
        if (event.text !== this.#waiting) this.#say(`waiting: ${event.text}`);
        this.#waiting = event.text;
        return;
      case "measured":
        this.#say(`${event.step} looked at ${countText(event.rows)} rows`);
        return;
      case "changes": // told in sum at the end
      case "backlog": // for machines
        return;
      case "notice":
        this.#say(event.text);
        return;
      case "lane":
        if (event.resumed) this.#say(`${event.source}: goes on where it stopped`);
        return;
    }
  }

  end(summary: RunSummary): void {
    this.#tellCounts();
    const already = summary.alreadyLoaded === 0 ? "" : `, already loaded ${countText(summary.alreadyLoaded)}`;
    for (const change of summary.changes) this.#say(changeText(change));
    this.#say(
      `${summary.interrupted ? "stopped" : "done"}: ${sumText(summary)}${already}, ${durationText(summary.ms)}`,
    );
  }

  #tellCounts(only?: string): void {
    for (const [source, counts] of [...this.#counts]) {
      if (only !== undefined && source !== only) continue;
      this.#counts.delete(source);
      this.#say(`${source}: ${sumText(counts)}`);
    }
    if (only === undefined) this.#saidMs = this.#now();
  }

  /** One example a batch: the others are a command away. */
  #tellReject(event: Extract<RunEvent, { event: "rejects" }>): void {
    const [first] = event.rejects;
    if (first === undefined) return;
    const [line = ""] = rejectLines(event.source, first, this.#screen.columns);
    this.#say(`rejected, for one: ${line.trim()}`);
  }

  #say(text: string): void {
    const time = new Date().toISOString().slice(11, 19);
    this.#screen.line(
      `${this.#screen.style("dim", time)} ${this.#screen.style("bold", this.#name)}  ${safeText(text)}`,
    );
  }
}

function sumText({ read, loaded, merged, filtered, rejected }: Counts): string {
  const parts = Object.entries({ loaded, merged, filtered, rejected }).filter(
    ([name, count]) => count > 0 || name === "loaded",
  );
  return `read ${countText(read)} = ${parts.map(([name, count]) => `${name} ${countText(count)}`).join(" + ")}`;
}
