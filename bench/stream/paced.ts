// Posts single events at a steady rate, whether they are answered or not, and prints what their answers took, counted
// from when each was due: a server that falls behind cannot slow the measure down.
//
//   node bench/stream/paced.ts URL EVENTS_PER_SECOND SECONDS CONNECTIONS
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { type BenchEvent, eventOf } from "./events.ts";

/** What it prints as JSON. */
export interface PacedReport {
  readonly sent: number;
  readonly answered: number;
  /** In ms. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const [url = "", rate = "1000", seconds = "5", connections = "32"] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const tookMs: number[] = [];
let sent = 0;

/** One connection: a request at a time, those that are due meanwhile wait. */
class Line {
  readonly #socket: Socket;
  readonly #due: { readonly atMs: number; readonly body: string }[] = [];
  #isBusy = false;
  #text = "";

  constructor() {
    this.#socket = connect(Number(port), hostname);
    this.#socket.setNoDelay(true);
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text: string) => this.#take(text));
  }

  add(atMs: number, body: string): void {
    this.#due.push({ atMs, body });
    if (!this.#isBusy) this.#send();
  }

  end(): void {
    this.#socket.destroy();
  }

  #send(): void {
    const next = this.#due[0];
    this.#isBusy = next !== undefined;
    if (next === undefined) return;
    const head = `POST /events HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/x-www-form-urlencoded\r\n`;
    this.#socket.write(`${head}content-length: ${next.body.length}\r\n\r\n${next.body}`);
  }

  #take(text: string): void {
    this.#text += text;
    const head = this.#text.indexOf("\r\n\r\n");
    if (head < 0) return;
    const [, length = "0"] = /content-length: (\d+)/i.exec(this.#text) ?? [];
    if (this.#text.length < head + 4 + Number(length)) return;
    const done = this.#due.shift();
    if (this.#text.startsWith("HTTP/1.1 200") && done !== undefined) tookMs.push(performance.now() - done.atMs);
    this.#text = "";
    this.#send();
  }
}

function formOf(event: BenchEvent): string {
  return Object.entries(event)
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

const lines = Array.from({ length: Number(connections) }, () => new Line());
const startMs = performance.now();
const endMs = startMs + Number(seconds) * 1_000;
for (let now = performance.now(); now < endMs; now = performance.now()) {
  for (
    let dueMs = startMs + (sent * 1_000) / Number(rate);
    dueMs <= now;
    dueMs = startMs + (sent * 1_000) / Number(rate)
  ) {
    const event = eventOf(sent, (performance.timeOrigin + dueMs) / 1_000);
    lines[sent % lines.length]?.add(dueMs, formOf(event));
    sent += 1;
  }
  await pause(1);
}
const graceMs = performance.now() + 20_000;
while (tookMs.length < sent && performance.now() < graceMs) await pause(10);
for (const line of lines) line.end();
const sorted = Float64Array.from(tookMs).sort();
const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
console.log(
  JSON.stringify({ sent, answered: tookMs.length, p50: at(0.5), p99: at(0.99), max: at(1) } satisfies PacedReport),
);
