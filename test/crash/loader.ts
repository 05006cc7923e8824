/**
 * A load as a process of its own, which the tests kill. It is put together from the real pieces, with batches small
 * enough for a small file to have many, and with the sink and source watched so that it can die at a named moment.
 * Argument: a LoaderPlan as JSON. Prints events and, last, the summary or the error, a line of JSON each.
 */
import { Socket } from "node:net";
import { pipeline as startPipeline, type Mode, type Pipeline } from "../../src/core/pipeline.ts";
import type { Contract } from "../../src/core/contract.ts";
import { contractFromJson } from "../../src/core/contract-json.ts";
import { toMillraceError } from "../../src/core/error.ts";
import { parsePlace } from "../../src/core/place.ts";
import { PostgresSink } from "../../src/adapters/postgres/sink.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { Sink, Unit } from "../../src/ports/sink.ts";
import type { LaneReader, Source } from "../../src/ports/source.ts";
import { adapterContext } from "../../src/runtime/context.ts";
import { fileSource } from "../../src/runtime/file-lanes.ts";
import { runPipeline } from "../../src/runtime/runner.ts";
import { openSink } from "../../src/runtime/schemes.ts";
import type { Death, Moment } from "./deaths.ts";

export interface LoaderPlan {
  readonly from: string;
  readonly to: string;
  readonly contract: object;
  readonly mode: Mode;
  readonly parallel: number;
  readonly atomic: boolean;
  readonly batchBytes: number;
  readonly settle?: "keep" | "delete" | "archive";
  readonly death?: Death;
  readonly patienceMs?: number;
  /** Waiting times of PostgreSQL sessions, shorter than the product's so that a test need not wait as long. */
  readonly postgresWaits?: { readonly lockMs: number; readonly idleInTransactionMs: number };
}

const plan = JSON.parse(process.argv[2] ?? "") as LoaderPlan;
const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event, bigintAsText)}\n`);

function bigintAsText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

const passed = new Map<Moment, number>();

function isDue(moment: Moment): boolean {
  if (plan.death?.moment !== moment) return false;
  const times = (passed.get(moment) ?? 0) + 1;
  passed.set(moment, times);
  return times === plan.death.nth;
}

function reach(moment: Moment): void {
  if (isDue(moment)) process.kill(process.pid, plan.death?.signal ?? "SIGKILL");
}

/** Makes the call and dies a few turns of the event loop later, wherever its work then is; at its end at the latest. */
async function amid<Result>(moment: Moment, call: () => Promise<Result>): Promise<Result> {
  if (!isDue(moment)) return call();
  let ended = false;
  const result = call().finally(() => {
    ended = true;
  });
  result.catch(() => undefined); // awaited below, unless the process is dead by then
  for (let turn = plan.death?.turns ?? 0; turn > 0 && !ended; turn -= 1) {
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }
  process.kill(process.pid, plan.death?.signal ?? "SIGKILL");
  return result;
}

/** `target` with some of its methods replaced. */
function watched<Target extends object>(target: Target, replaced: Partial<Target>): Target {
  return new Proxy(target, {
    get(of, name) {
      const value: unknown = Reflect.get(name in replaced ? replaced : of, name);
      return typeof value === "function" ? (value.bind(of) as unknown) : value;
    },
  });
}

function watchedUnit(unit: Unit): Unit {
  return watched(unit, {
    async write(batch) {
      const result = await amid("duringWrite", () => unit.write(batch));
      reach("afterWrite");
      return result;
    },
    async commit() {
      await amid("duringCommit", () => unit.commit());
      reach("afterCommit");
    },
  });
}

function watchedSink(sink: Sink): Sink {
  return watched(sink, {
    async open() {
      await amid("duringOpen", () => sink.open());
      reach("afterOpen");
    },
    async prepare(target) {
      const prepared = await amid("duringPrepare", () => sink.prepare(target));
      reach("afterPrepare");
      return prepared;
    },
    async claim(...lane) {
      reach("beforeClaim");
      const claim = await amid("duringClaim", () => sink.claim(...lane));
      reach("afterClaim");
      return claim;
    },
    async begin(target, options) {
      reach("beforeBegin");
      const unit = await sink.begin(target, options);
      reach("afterBegin");
      return watchedUnit(unit);
    },
  });
}

function watchedSource(source: Source): Source {
  return watched(source, {
    async open(lane, position, signal) {
      const reader = await source.open(lane, position, signal);
      return watched<LaneReader>(reader, {
        async next() {
          reach("beforeRead");
          const batch = await reader.next();
          reach("afterRead");
          return batch;
        },
      });
    },
    async settle(lane) {
      reach("beforeSettle");
      await source.settle(lane);
      reach("afterSettle");
    },
  });
}

/** PostgreSQL's protocol calls the bytes of a COPY messages of type `d`. */
function watchCopy(): void {
  const { prototype } = Socket as { prototype: { write: (...args: unknown[]) => boolean } };
  const write = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(prototype), "write")
    ?.value as typeof prototype.write;
  prototype.write = function copyWatched(this: Socket, ...args: unknown[]): boolean {
    const result = write.apply(this, args);
    if (args[0] instanceof Uint8Array && args[0][0] === 0x64) reach("firstCopyBytes");
    return result;
  };
}

function pipelineOf(contract: Contract): Pipeline & { contract: Contract } {
  const { from, to, mode, parallel, atomic, settle = "keep" } = plan;
  const flow = startPipeline("crash").from(from, { header: false, parallel, atomic, settle }).check(contract);
  return { ...flow.to(to, { mode }), contract };
}

async function openedSink(context: ReturnType<typeof adapterContext>): Promise<Sink> {
  const { to, postgresWaits } = plan;
  if (postgresWaits === undefined) return openSink(to, {}, context);
  return new PostgresSink(parsePlace(to), {}, context, postgresWaits);
}

async function load(): Promise<void> {
  const pipeline = pipelineOf(contractFromJson(plan.contract, "the test"));
  const engine = await Engine.open({ memoryBytes: 192 * 2 ** 20, threads: 1 });
  const context = adapterContext(engine, (text) => say({ event: "notice", text }));
  const { parallel: _, ...whole } = pipeline.source;
  const source = fileSource({
    url: plan.from,
    options: plan.atomic || plan.mode === "replace" ? whole : pipeline.source,
    contract: pipeline.contract,
    again: false,
    batchBytes: plan.batchBytes,
    context,
  });
  const sink = await openedSink(context);
  try {
    const open = { pipeline, engine, context, source: watchedSource(source), sink: watchedSink(sink) };
    const settings = {
      follow: false,
      stop: new AbortController().signal,
      onEvent: say,
      patienceMs: plan.patienceMs ?? 60_000,
    };
    say({ event: "done", ...(await runPipeline(open, settings)) });
  } finally {
    await sink.close();
    await source.close();
    await engine.close();
  }
}

watchCopy();
say({ event: "started" });
try {
  await load();
} catch (error) {
  const { code, message, remedy } = toMillraceError(error);
  say({ event: "error", code, message, remedy, stack: error instanceof Error ? error.stack : undefined });
  process.exitCode = 1;
}
