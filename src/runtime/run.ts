import { toMillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import type { Pipeline } from "../core/pipeline.ts";
import type { OnEvent, RunSummary } from "./events.ts";
import type { BatchWatch } from "./lane-services.ts";
import { runPipeline } from "./runner.ts";
import { Session } from "./session.ts";
import { chosenStages, stagesOf } from "./stages.ts";

export interface RunSettings {
  /** Goes on looking for new data until `signal` aborts. */
  readonly follow?: boolean;
  /** Aborting it ends the run after the batch at hand. */
  readonly signal?: AbortSignal;
  readonly onEvent?: OnEvent;
  readonly memoryBytes?: number;
  /** Loads content that was loaded before once more. */
  readonly again?: boolean;
  /** This stage alone of a pipeline that is cut, by name or by number from 1. */
  readonly stage?: string;
  /** How long a sink that is away is waited for; for ever with `follow` unless given. */
  readonly patienceMs?: number;
  /** Looks at batches beside the sink. */
  readonly watch?: BatchWatch;
  /** How long one is waited for that was not reached once; as `patienceMs` unless given. */
  readonly firstConnectionMs?: number;
}

/**
 * Runs a pipeline in this process. What the summary counts is durable in the sink when this resolves; of a pipeline that
 * is cut by `.via` it counts what the last stage did. Rejects with a MillraceError; what was committed before stays, and
 * the next run goes on behind it.
 */
export async function run(pipeline: Pipeline, settings: RunSettings = {}): Promise<RunSummary> {
  const { memoryBytes, onEvent } = settings;
  const session = await Session.open({
    notice: (text) => onEvent?.({ event: "notice", text }),
    parallel: (pipeline.source.parallel ?? 1) + (pipeline.via?.length ?? 0),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  });
  try {
    return await runStages(session, chosenStages(await stagesOf(pipeline, session.engine), settings.stage), settings);
  } catch (error) {
    throw toMillraceError(error);
  } finally {
    await session.close();
  }
}

/**
 * Runs stages, of which each reads what the one before it writes: side by side with `follow`, else one after another.
 * Resolves with the summary of the last.
 */
async function runStages(session: Session, stages: readonly Pipeline[], settings: RunSettings): Promise<RunSummary> {
  if (settings.follow !== true) return inTurn(session, stages, settings);
  const failing = new AbortController();
  const signal = settings.signal === undefined ? failing.signal : AbortSignal.any([settings.signal, failing.signal]);
  const runs = stages.map((stage) =>
    runIn(session, stage, { ...settings, signal }).catch((error: unknown) => {
      failing.abort();
      throw error;
    }),
  );
  const ended = await Promise.allSettled(runs);
  const failure = ended.find((one) => one.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  return (await Promise.all(runs)).at(-1) as RunSummary;
}

async function inTurn(session: Session, stages: readonly Pipeline[], settings: RunSettings): Promise<RunSummary> {
  let last: RunSummary | undefined;
  for (const stage of stages) {
    last = await runIn(session, stage, settings);
    if (last.interrupted) break;
  }
  if (last === undefined) throw new TypeError("a pipeline has no stage");
  return last;
}

/** The same in a session, whose memory budget it shares with what else runs there; errors as they come. */
export async function runIn(
  session: Session,
  pipeline: Pipeline,
  settings: Omit<RunSettings, "memoryBytes">,
): Promise<RunSummary> {
  const { follow = false, again = false, onEvent = () => undefined } = settings;
  const { patienceMs = follow ? Number.POSITIVE_INFINITY : limit.retryTotalMs } = settings;
  const stop = settings.signal ?? new AbortController().signal;
  const { firstConnectionMs = patienceMs } = settings;
  const watch = settings.watch === undefined ? {} : { watch: settings.watch };
  const options = { follow, stop, onEvent, patienceMs, firstConnectionMs, ...watch };
  return runPipeline(await session.pipeline(pipeline, again), options);
}
