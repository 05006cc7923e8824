import type { RunEvent } from "../runtime/events.ts";
import { bytesText, countOf, perSecond, roughDurationText } from "./figures.ts";
import type { Screen } from "./screen.ts";
import { clip, safeText } from "./shown.ts";

const redrawMs = 100;
const lineMs = 3_000;
const waitMs = 15_000;
const barChars = 24;

/** How far a run is, on standard error: a bar redrawn in place on a terminal, else a plain line every few seconds. */
export class Progress {
  readonly #screen: Screen;
  readonly #now: () => number;
  readonly #startedMs: number;
  #saidMs: number;
  #drawn = false;
  #waiting = "";
  #waitSaidMs = 0;
  #rows = 0;
  #rejected = 0;
  #sizeBytes = 0;
  /** What there is to read; undefined once a lane of unknown size was met. */
  #totalBytes: number | undefined = 0;

  constructor(screen: Screen, now: () => number) {
    this.#screen = screen;
    this.#now = now;
    this.#startedMs = now();
    this.#saidMs = screen.isTerminal ? Number.NEGATIVE_INFINITY : this.#startedMs;
  }

  observe(event: RunEvent): void {
    switch (event.event) {
      case "lane":
        if (event.sizeBytes === undefined) this.#totalBytes = undefined;
        else if (this.#totalBytes !== undefined) this.#totalBytes += event.sizeBytes;
        return;
      case "batch":
        this.#rows += event.counts.read;
        this.#rejected += event.counts.rejected;
        this.#sizeBytes += event.sizeBytes;
        this.#waiting = "";
        this.#draw();
        return;
      case "waiting":
        this.#tellWait(event.text);
        return;
      case "notice":
        this.say(safeText(event.text));
        return;
      case "prepared":
      case "changes": // told in the summary
      case "measured":
      case "backlog": // for machines
      case "rejects":
      case "laneDone":
        return;
    }
  }

  /** Said once for a trouble, and now and then while it lasts: not with each attempt. */
  #tellWait(text: string): void {
    const now = this.#now();
    if (text === this.#waiting && now - this.#waitSaidMs < waitMs) return;
    this.#waiting = text;
    this.#waitSaidMs = now;
    this.say(`waiting, and trying again: ${safeText(text)}`);
  }

  /** A line of its own, above the bar. */
  say(text: string): void {
    this.end();
    this.#screen.line(text);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#drawn) this.#screen.write("\r\u001b[2K");
    this.#drawn = false;
  }

  #draw(): void {
    const now = this.#now();
    if (now - this.#saidMs < (this.#screen.isTerminal ? redrawMs : lineMs)) return;
    this.#saidMs = now;
    const text = this.#text(now - this.#startedMs);
    if (!this.#screen.isTerminal) return this.#screen.line(text);
    this.#screen.write(`\r\u001b[2K${clip(text, (this.#screen.columns ?? 80) - 1)}`);
    this.#drawn = true;
  }

  #text(ms: number): string {
    const rate = perSecond(this.#sizeBytes, ms);
    const rejected = this.#rejected === 0 ? "" : `, ${countOf(this.#rejected, "reject")}`;
    const rows = `${countOf(this.#rows, "row")}${rejected}, ${bytesText(rate)}/s`;
    const total = this.#totalBytes;
    if (total === undefined || total === 0) return rows;
    const part = Math.min(1, this.#sizeBytes / total);
    const left =
      part >= 1 || rate === 0 ? "" : `, about ${roughDurationText(((total - this.#sizeBytes) / rate) * 1000)} left`;
    const percent = `${Math.floor(part * 100)} %`;
    return this.#screen.isTerminal ? `${bar(part)} ${percent}  ${rows}${left}` : `${percent}: ${rows}${left}`;
  }
}

/** Full to the part of it, from 0 to 1. */
export function bar(part: number): string {
  const full = Math.round(part * barChars);
  return `${"█".repeat(full)}${"░".repeat(barChars - full)}`;
}
