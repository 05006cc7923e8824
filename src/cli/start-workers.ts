import { toMillraceError } from "../core/error.ts";
import { time } from "../runtime/context.ts";
import { openControl } from "../runtime/workers/control.ts";
import { freePort } from "../runtime/workers/free-port.ts";
import type { Listening } from "../runtime/workers/questions.ts";
import { WorkerFailed, Workers } from "../runtime/workers/workers.ts";
import type { ServiceLog } from "./service-log.ts";
import { aborted } from "./stop.ts";

export interface StartWorkersOptions {
  readonly count: number;
  /** As asked for by a flag; 0 for any that is free. */
  readonly port: number | undefined;
  readonly data: string;
  /** Aborts when all is to end. */
  readonly signal: AbortSignal;
  readonly log: ServiceLog;
  /** Tells people what runs now. */
  readonly tell: (listening: Listening) => void;
}

/** Keeps so many processes that serve at one port, until the signal aborts and all of them have ended. */
export async function startWorkers({ count, port, data, signal, log, tell }: StartWorkersOptions): Promise<void> {
  const say = (text: string): void => log.say(text);
  let workers: Workers;
  try {
    const chosen = port === 0 ? { port: await freePort() } : {};
    workers = await Workers.start({ count, ...chosen, context: time, say });
  } catch (error) {
    if (!(error instanceof WorkerFailed)) throw error;
    // It has told people why.
    process.exitCode = error.ending.code ?? 1;
    return;
  }
  const reload = async (): Promise<void> => {
    say("reloading: every worker is exchanged for a new one");
    await workers.reload();
    say("reloaded");
  };
  const onHangUp = (): void => {
    reload().catch((error: unknown) => say(`not reloaded: ${toMillraceError(error).message}`));
  };
  try {
    const control = await openControl(data, reload);
    // A terminal that is closed sends it too, and then it is a wish to end.
    if (!process.stdout.isTTY) process.on("SIGHUP", onHangUp);
    tell(workers.listening);
    await aborted(signal);
    await control.close();
  } finally {
    process.off("SIGHUP", onHangUp);
    await workers.close();
  }
  say("stopped");
}
