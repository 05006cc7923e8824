// A pipeline that follows a log into a table, in this process, as a service runs it.
import type { Log } from "../../src/ports/log.ts";
import { expect } from "vitest";
import { isBalanced } from "../../src/core/ledger.ts";
import { pipeline } from "../../src/core/pipeline.ts";
import { integer, table } from "../../src/core/table.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { jsonMessages } from "../../src/formats/json/messages.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { Sink } from "../../src/ports/sink.ts";
import type { RunSummary } from "../../src/runtime/events.ts";
import { logSource } from "../../src/runtime/log-source.ts";
import { runPipeline } from "../../src/runtime/runner.ts";
import { openSink } from "../../src/runtime/schemes.ts";
import { context as brokerContext, until, within } from "../adapters/brokers/scene.ts";

const slowMs = 60_000;

/** Without a key, so that a record that is loaded twice is two rows. */
export const readings = table("readings", { id: integer() });

export interface ConsumerOptions {
  readonly log: Log;
  readonly sink: Sink;
  readonly engine: Engine;
  readonly whenGone?: "fail" | "skip";
}

/** Reads until it is stopped. Closes its log and its sink. */
export class Consumer {
  /** What it has said. */
  readonly said: string[] = [];
  /** Rows that it has committed. */
  loaded = 0;
  readonly ended: Promise<RunSummary>;
  readonly #stop = new AbortController();

  constructor({ log, sink, engine, whenGone = "fail" }: ConsumerOptions) {
    const context: AdapterContext = { ...brokerContext, engine, notice: (text) => void this.said.push(text) };
    const bounds = { rows: 50, bytes: 100_000, lingerMs: 20 };
    const source = logSource({
      log,
      group: "readings",
      bounds,
      format: jsonMessages({ ignoreExtra: false }),
      whenGone,
      context,
    });
    const flow = { ...pipeline("readings").from(log.shown).check(readings).to(sink.shown), contract: readings };
    const run = async (): Promise<RunSummary> => {
      try {
        return await runPipeline(
          { pipeline: flow, source, sink, engine, context },
          {
            follow: true,
            stop: this.#stop.signal,
            patienceMs: Number.POSITIVE_INFINITY,
            onEvent: (event) => void ("text" in event && this.said.push(event.text)),
            watch: { committed: async ({ counts }) => void (this.loaded += counts.loaded) },
          },
        );
      } finally {
        await source.close();
        await sink.close();
      }
    };
    this.ended = run();
    this.ended.catch(() => undefined); // awaited by the test
  }

  hasSaid(text: string): boolean {
    return this.said.some((one) => one.includes(text));
  }

  /** Waits until it is so; fails with what the run fails with. */
  async until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    await Promise.race([until(isSo, what, slowMs), this.ended]);
    if (!(await isSo())) throw new Error(`the run ended before ${what}`);
  }

  async stop(): Promise<RunSummary> {
    this.#stop.abort();
    return within(this.ended, "the end of a run that is stopped", slowMs);
  }
}

/** Records of these numbers, each with a key of its own. */
export function recordsOf(numbers: readonly number[]) {
  return numbers.map((id) => ({
    key: Buffer.from(`key ${id}`),
    value: Buffer.from(JSON.stringify({ id })),
    id: `reading ${id}`,
    timeMs: Date.now(),
  }));
}

export const numbers = (from: number, count: number): number[] => Array.from({ length: count }, (_, n) => from + n);

/** The numbers in the table are these, each once, in a ledger that balances. */
export async function expectExactly(to: string, engine: Engine, wanted: readonly number[]): Promise<void> {
  const sink = await openSink(to, {}, { ...brokerContext, engine });
  try {
    await sink.open();
    const found: number[] = [];
    for await (const rows of sink.query("select id from readings order by id")) {
      found.push(...rows.map(({ id }) => Number(id)));
    }
    expect(found).toEqual([...wanted].sort((one, other) => one - other));
    const ledger = await sink.records.ledger({ pipeline: "readings", limit: Number.MAX_SAFE_INTEGER });
    expect(ledger.filter((entry) => !isBalanced(entry))).toEqual([]);
    expect(ledger.reduce((sum, { loaded }) => sum + loaded, 0)).toBe(wanted.length);
  } finally {
    await sink.close();
  }
}
