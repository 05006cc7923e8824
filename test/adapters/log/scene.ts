import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { embeddedLogWith } from "../../../src/adapters/log/log.ts";
import { type SteadyClock, steadyClock } from "../../../src/adapters/log/steady-clock.ts";
import { limit } from "../../../src/core/limit.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { AdapterContext } from "../../../src/ports/adapter.ts";
import type { KeptRecord, Log, LogLane, LogRecord } from "../../../src/ports/log.ts";

/** The logs of a test in a folder of their own, closed and removed with it. */
export class Scene implements AsyncDisposable {
  readonly notices: string[] = [];
  /** Milliseconds by which the wall clock is wrong. */
  wrongMs = 0;
  clock: SteadyClock = steadyClock(() => Date.now());
  /** How often a log has paused. */
  pauses = 0;
  /** Called by a test: what the log does now and then, it does now. */
  tend = (): void => {};
  readonly #within: string;
  #outer: string | undefined;
  readonly #logs: Log[] = [];

  constructor(within = tmpdir()) {
    this.#within = within;
  }

  /** Nothing is there yet. */
  get folder(): string {
    // Not made for those that use another one and are killed.
    this.#outer ??= mkdtempSync(join(this.#within, "millrace-log-"));
    return join(this.#outer, "deep", "log");
  }

  get context(): Omit<AdapterContext, "engine"> {
    return {
      now: () => Date.now() + this.wrongMs,
      pause: async (ms, signal) => {
        this.pauses += 1;
        if (ms >= limit.embeddedTrimMs) await this.#untilTended(signal);
        else await sleep(ms, undefined, signal === undefined ? {} : { signal });
      },
      notice: (text) => this.notices.push(text),
    };
  }

  /** Not open yet. `options` as in a URL: `lanes=4&max=1MB`. */
  log(options = "", folder = this.folder): Log {
    const url = options === "" ? `log:${folder}` : `log:${folder}?${options}`;
    const log = embeddedLogWith(parsePlace(url), this.context, () => this.clock());
    this.#logs.push(log);
    return log;
  }

  async open(options = "", folder = this.folder): Promise<Log> {
    const log = this.log(options, folder);
    await log.open();
    return log;
  }

  /** A clock that stands still until it is turned: `turn` adds milliseconds. */
  stopClock(): { turn(ms: number): void; boot(name: string, ms: number): void } {
    let moment = this.clock();
    this.clock = () => moment;
    return {
      turn: (ms) => {
        moment = { ...moment, ms: moment.ms + ms };
      },
      boot: (boot, ms) => {
        moment = { boot, ms };
      },
    };
  }

  async #untilTended(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.tend = resolve;
    signal?.addEventListener("abort", () => resolve());
    if (signal?.aborted === true) resolve();
    await promise;
  }

  async close(): Promise<void> {
    await Promise.all(this.#logs.splice(0).map((log) => log.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    if (this.#outer !== undefined) rmSync(this.#outer, { recursive: true, force: true });
  }
}

export function record(value: string | Uint8Array, key?: string, id?: string): LogRecord {
  return {
    value: typeof value === "string" ? Buffer.from(value) : value,
    timeMs: 1_700_000_000_000,
    ...(key === undefined ? {} : { key: Buffer.from(key) }),
    ...(id === undefined ? {} : { id }),
  };
}

export function textOf({ value }: LogRecord): string {
  return Buffer.from(value).toString();
}

/** All records of a lane from `offset` on, up to where it ends now. */
export async function readLane(log: Log, lane: LogLane, offset = lane.start): Promise<KeptRecord[]> {
  const records: KeptRecord[] = [];
  if (offset >= lane.end) return records;
  const stop = new AbortController();
  for await (const piece of log.read(lane, offset, stop.signal)) {
    records.push(...piece);
    if ((records.at(-1)?.offset ?? 0n) + 1n >= lane.end) stop.abort();
  }
  return records;
}

export async function readAll(log: Log): Promise<KeptRecord[]> {
  const all: KeptRecord[] = [];
  for (const lane of await log.lanes()) all.push(...(await readLane(log, lane)));
  return all;
}

/** Waits for a condition that has to come, and says what did not. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, patienceMs = 20_000): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`waited for ${what}`);
    await sleep(5);
  }
}
