import { toMillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import type { Pipeline } from "../core/pipeline.ts";
import type { OnEvent, RunSummary } from "./events.ts";
import type { BatchWatch } from "./lane-services.ts";
import { runPipeline } from "./runner.ts";
import { Session } from "./session.ts";

export interface RunSettings {
  /** Goes on looking for new data until `signal` aborts. */
  readonly follow?: boolean;
  /** Aborting it ends the run after the batch at hand. */
  readonly signal?: AbortSignal;
  readonly onEvent?: OnEvent;
  readonly memoryBytes?: number;
  /** Loads content that was loaded before once more. */
  readonly again?: boolean;
  /** How long a sink that is away is waited for; for ever with `follow` unless given. */
  readonly patienceMs?: number;
  /** Looks at batches beside the sink. */
  readonly watch?: BatchWatch;
  /** How long one is waited for that was not reached once; as `patienceMs` unless given. */
  readonly firstConnectionMs?: number;
}

/**
 * Runs a pipeline in this process. What the summary counts is durable in the sink when this resolves. Rejects with a
 * MillraceError; what was committed before stays, and the next run goes on behind it.
 */
export async function run(pipeline: Pipeline, settings: RunSettings = {}): Promise<RunSummary> {
  const { memoryBytes, onEvent } = settings;
  const session = await Session.open({
    notice: (text) => onEvent?.({ event: "notice", text }),
    parallel: pipeline.source.parallel ?? 1,
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  });
  try {
    return await runIn(session, pipeline, settings);
  } catch (error) {
    throw toMillraceError(error);
  } finally {
    await session.close();
  }
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
