/**
 * One stage of a pipeline as a process of its own, put together from the real pieces, with batches small enough for a
 * small file to have many. It can kill itself between the confirmed append of a batch and the commit of its position.
 * Argument: a StagePlan as JSON. Prints events and, last, the summary or the error, a line of JSON each.
 */
import { pipeline as startPipeline, type SinkOptions } from "../../src/core/pipeline.ts";
import { contractFromJson } from "../../src/core/contract-json.ts";
import { toMillraceError } from "../../src/core/error.ts";
import type { Sink } from "../../src/ports/sink.ts";
import type { Source } from "../../src/ports/source.ts";
import { fileSource } from "../../src/runtime/file-lanes.ts";
import { runPipeline } from "../../src/runtime/runner.ts";
import { Session } from "../../src/runtime/session.ts";
import { chosenStages, stagesOf } from "../../src/runtime/stages.ts";
import { requireContract } from "../../src/runtime/target.ts";

export interface StagePlan {
  readonly from: string;
  readonly via: string;
  readonly to: string;
  readonly contract: object;
  readonly sink: SinkOptions;
  readonly stage: "1" | "2";
  readonly follow: boolean;
  readonly batchBytes: number;
  readonly batchRows: number;
  /** Dies before the n-th commit, from 1: all that the batch sends is sent by then. */
  readonly diesBeforeCommit?: number;
}

const plan = JSON.parse(process.argv[2] ?? "") as StagePlan;
const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event, bigintAsText)}\n`);

function bigintAsText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

let commits = 0;

/** The sink, in whose units death comes before the commit. */
function mortal(sink: Sink): Sink {
  const begin: Sink["begin"] = async (...of) => {
    const unit = await sink.begin(...of);
    return {
      write: (batch) => unit.write(batch),
      commit: async () => {
        commits += 1;
        if (commits === plan.diesBeforeCommit) process.kill(process.pid, "SIGKILL");
        await unit.commit();
      },
      rollback: () => unit.rollback(),
    };
  };
  return new Proxy(sink, {
    get(of, name) {
      const value: unknown = name === "begin" ? begin : Reflect.get(of, name);
      return typeof value === "function" ? (value.bind(of) as unknown) : value;
    },
  });
}

async function work(session: Session): Promise<void> {
  const { from, via, to, batchRows, batchBytes, follow } = plan;
  const contract = contractFromJson(plan.contract, "the test");
  const whole = startPipeline("crash")
    .from(from, { header: false })
    .check(contract)
    .via(via, { batchRows, lingerMs: 20 }).sql`select * from batch`.to(to, plan.sink);
  const [stage] = chosenStages(await stagesOf(whole, session.engine), plan.stage);
  if (stage === undefined) throw new TypeError("there is no such stage");
  const { engine, context } = session;
  const files = (): Source =>
    fileSource({ url: from, options: stage.source, contract, again: false, batchBytes, context });
  const source = plan.stage === "1" ? session.closing(files()) : await session.source(stage, stage.contract, false);
  const sink = mortal(await session.sink(stage.to, stage.sink));
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort());
  const open = { pipeline: requireContract(stage), source, sink, engine, context };
  const summary = await runPipeline(open, { follow, stop: stop.signal, onEvent: say, patienceMs: 60_000 });
  say({ event: "done", ...summary });
}

const session = await Session.open({ notice: (text) => say({ event: "notice", text }), memoryBytes: 300 * 2 ** 20 });
try {
  await work(session);
} catch (error) {
  const { code, message, remedy } = toMillraceError(error);
  say({ event: "error", code, message, remedy, stack: error instanceof Error ? error.stack : undefined });
  process.exitCode = 1;
} finally {
  await session.close();
}
