import { describe, expect, it } from "vitest";
import { jsonMessages } from "../../src/formats/json/messages.ts";
import { LaneReplaced, type Log, type LogLane, RecordsGone } from "../../src/ports/log.ts";
import type { KeptRecord } from "../../src/ports/log.ts";
import type { MessageFormat } from "../../src/ports/messages.ts";
import type { Lane } from "../../src/ports/source.ts";
import { logSource } from "../../src/runtime/log-source.ts";
import { type RunOptions, runPipeline } from "../../src/runtime/runner.ts";
import type { RunEvent, RunSummary } from "../../src/runtime/events.ts";
import { people, Scene } from "./scene.ts";

/** A log of one process, told what to do. */
class ScriptedLog implements Log {
  readonly shown = "memory:people";
  readonly facts = { durability: "none", valueBytesMax: 1_000_000 };
  readonly kept = new Map<string, KeptRecord[]>();
  readonly incarnations = new Map<string, string>();
  readonly starts = new Map<string, bigint>();
  readonly settled: string[] = [];
  readonly #assigned: (readonly string[])[] = [];
  #wake: () => void = () => undefined;

  put(lane: string, ...values: readonly string[]): void {
    const kept = this.kept.get(lane) ?? [];
    this.kept.set(lane, kept);
    for (const value of values) kept.push({ offset: BigInt(kept.length), value: Buffer.from(value), timeMs: 1 });
    this.#wake();
  }

  assign(...lanes: readonly string[]): void {
    this.#assigned.push(lanes);
    this.#wake();
  }

  async open(): Promise<void> {}
  async append(): Promise<void> {}
  async settle(_: string, { name }: LogLane, offset: bigint): Promise<void> {
    this.settled.push(`${name}:${offset}`);
  }
  async close(): Promise<void> {}
  classify = (): "stop" => "stop";
  explain = (error: unknown): Error => error as Error;

  async lanes(): Promise<LogLane[]> {
    return [...this.kept.keys()].map((name) => this.#lane(name));
  }

  async *assignments(_: string, signal: AbortSignal): AsyncGenerator<LogLane[], void> {
    while (!signal.aborted) {
      const next = this.#assigned.shift();
      if (next !== undefined) yield next.map((name) => this.#lane(name));
      else await this.#change(signal);
    }
  }

  async *read(lane: LogLane, from: bigint, signal: AbortSignal): AsyncGenerator<KeptRecord[], void> {
    let at = from;
    while (!signal.aborted) {
      if (this.#lane(lane.name).incarnation !== lane.incarnation) throw new LaneReplaced("replaced");
      const { start } = this.#lane(lane.name);
      if (at < start) throw new RecordsGone(lane.name, at, start);
      const next = (this.kept.get(lane.name) ?? []).filter(({ offset }) => offset >= at);
      const last = next.at(-1);
      if (last === undefined) await this.#change(signal);
      else {
        yield next;
        at = last.offset + 1n;
      }
    }
  }

  #lane(name: string): LogLane {
    const kept = this.kept.get(name) ?? [];
    const incarnation = this.incarnations.get(name) ?? "first";
    return { name, incarnation, start: this.starts.get(name) ?? 0n, end: BigInt(kept.length) };
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#wake;
      this.#wake = () => {
        before();
        resolve();
      };
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}

interface Ran {
  readonly summary: Promise<RunSummary>;
  readonly events: RunEvent[];
  stop(): void;
}

const json = jsonMessages({ ignoreExtra: false });

/** Runs `log` into the table people. */
async function runLog(
  scene: Scene,
  log: Log,
  options: Partial<RunOptions> & { readonly whenGone?: "skip"; readonly format?: MessageFormat } = {},
): Promise<Ran> {
  const events: RunEvent[] = [];
  const stop = new AbortController();
  const { whenGone = "fail", format = json, ...given } = options;
  const bounds = { rows: 100, bytes: 10_000, lingerMs: 20 };
  const source = logSource({ log, group: "people", bounds, format, whenGone, context: scene.context });
  const sink = await scene.sink();
  const open = {
    pipeline: { ...scene.pipeline(), contract: people },
    engine: scene.engine,
    context: scene.context,
    source,
    sink,
  };
  const running = runPipeline(open, {
    follow: false,
    stop: stop.signal,
    patienceMs: 1_000,
    onEvent: (event) => void events.push(event),
    ...given,
  });
  const finish = async (): Promise<RunSummary> => {
    try {
      return await running;
    } finally {
      await source.close();
      await sink.close();
    }
  };
  const summary = finish();
  return { summary, events, stop: () => stop.abort() };
}

const person = (id: number): string => JSON.stringify({ id, name: `name ${id}` });
const idsIn = async (scene: Scene): Promise<number[]> =>
  (await scene.query("select id from people order by id")).map(({ id }) => Number(id));

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe("a source over a log", () => {
  it("read once ends where the log ended, and again goes on behind it", async () => {
    await using scene = await Scene.open();
    const log = new ScriptedLog();
    log.put("0", person(1), "no json", person(2));
    log.put("1", person(3));
    const first = await (await runLog(scene, log)).summary;
    expect(first).toMatchObject({ read: 4, loaded: 3, rejected: 1, balanced: true });
    log.put("0", person(4));
    expect(await (await runLog(scene, log)).summary).toMatchObject({ read: 1, loaded: 1 });
    expect(await idsIn(scene)).toEqual([1, 2, 3, 4]);
    const [reject] = await scene.query("select source, record_offset::integer as at from millrace_reject");
    expect(reject).toEqual({ source: "people/0", at: 1 });
  });

  it("followed takes what comes, settles what is committed, and hands lanes over", async () => {
    await using scene = await Scene.open();
    const log = new ScriptedLog();
    log.put("0", person(1));
    log.put("1", person(11));
    const ran = await runLog(scene, log, { follow: true });
    log.assign("0", "1");
    await until(() => log.settled.length >= 2);
    log.put("0", person(2));
    await until(() => log.settled.includes("0:2"));
    log.assign("0");
    await until(() => ran.events.length > 0);
    log.put("1", person(12));
    log.put("0", person(3));
    await until(() => log.settled.includes("0:3"));
    ran.stop();
    expect(await ran.summary).toMatchObject({ balanced: true });
    expect(await idsIn(scene)).toEqual([1, 2, 3, 11]);
  });

  it("has nothing to read in a lane that was revoked before it was opened, though it was given back", async () => {
    await using scene = await Scene.open();
    const log = new ScriptedLog();
    log.put("0", person(1));
    const bounds = { rows: 100, bytes: 10_000, lingerMs: 20 };
    const { context } = scene;
    const source = logSource({ log, group: "people", bounds, format: json, whenGone: "fail", context });
    const { signal } = new AbortController();
    const none = { get: async () => undefined, of: async () => [] };
    const lanes = source.lanes(none, { follow: true, signal })[Symbol.asyncIterator]();
    const next = async (): Promise<Lane> => (await lanes.next()).value as Lane;
    const countOf = async (lane: Lane): Promise<number> => {
      const reader = await source.open(lane, lane.initial, signal);
      const batch = await reader.next();
      await reader.close();
      return batch?.read ?? 0;
    };
    log.assign("0");
    const before = await next();
    log.assign();
    log.assign("0");
    const after = await next();
    expect([await countOf(before), await countOf(after)]).toEqual([0, 1]);
    // Whoever is done with the one has said nothing of the other.
    await source.settle(before);
    expect(source.isDone(after, after.initial)).toBe(false);
    log.assign("0", "1");
    log.put("1", person(2));
    expect((await next()).source).toBe("people/1");
    await source.close();
  });

  it("says that records are gone before they were read, and skips them when told to", async () => {
    await using scene = await Scene.open();
    const log = new ScriptedLog();
    log.put("0", person(1), person(2), person(3));
    await (await runLog(scene, log)).summary;
    log.put("0", person(4), person(5), person(6));
    log.starts.set("0", 5n);
    await expect((await runLog(scene, log)).summary).rejects.toMatchObject({ code: "RECORDS_GONE" });
    expect(await (await runLog(scene, log, { whenGone: "skip" })).summary).toMatchObject({ read: 1, loaded: 1 });
    expect(await idsIn(scene)).toEqual([1, 2, 3, 6]);
    expect(scene.notices.join()).toContain("offsets 3 to 4");
  });

  it("reads a log that was made anew from its start", async () => {
    await using scene = await Scene.open();
    const log = new ScriptedLog();
    log.put("0", person(1), person(2));
    await (await runLog(scene, log)).summary;
    log.kept.set("0", []);
    log.incarnations.set("0", "second");
    log.put("0", person(7));
    expect(await (await runLog(scene, log)).summary).toMatchObject({ read: 1, loaded: 1 });
    expect(await idsIn(scene)).toEqual([1, 2, 7]);
  });

  it("goes on with the records that a format left over, and asks it again after it failed", async () => {
    await using scene = await Scene.open();
    const log = new ScriptedLog();
    log.put("0", person(1), person(2), "no json", person(4), person(5));
    let failures = 1;
    const format: MessageFormat = {
      decode: async (messages, bounds, signal) => {
        if (messages.length === 3 && failures-- > 0) throw new Error("no schema");
        return json.decode(messages.slice(0, 2), bounds, signal);
      },
    };
    await expect((await runLog(scene, log, { format })).summary).rejects.toThrow("no schema");
    expect(await (await runLog(scene, log, { format })).summary).toMatchObject({ read: 3, loaded: 2, rejected: 1 });
    expect(await idsIn(scene)).toEqual([1, 2, 4, 5]);
    const batches = await scene.query("select read::integer as read from millrace_ledger order by batch");
    expect(batches.map(({ read }) => read)).toEqual([2, 2, 1]);
  });

  it("tells watchers of rejects before, and of batches after they are committed", async () => {
    await using scene = await Scene.open();
    const log = new ScriptedLog();
    log.put("0", person(1), "{");
    const told: string[] = [];
    const watch = {
      rejected: async (rejects: readonly { readonly offset: bigint }[], source: string) => {
        told.push(`rejected ${source} ${rejects.map(({ offset }) => offset).join()}`);
      },
      committed: async ({
        counts,
        rows,
        raw,
      }: {
        counts: { loaded: number };
        rows: { count: number };
        raw: { timesMs?: Float64Array };
      }) => {
        told.push(`committed ${counts.loaded} ${rows.count} ${[...(raw.timesMs ?? [])].join()}`);
      },
    };
    await (await runLog(scene, log, { watch })).summary;
    expect(told).toEqual(["rejected people/0 1", "committed 1 1 1,1"]);
  });
});
