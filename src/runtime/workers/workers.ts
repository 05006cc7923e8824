import { limit } from "../../core/limit.ts";
import { retryPauseMs } from "../../core/retry.ts";
import { pauseUnlessAborted, type Time } from "../../core/time.ts";
import { MillraceError } from "../../core/error.ts";
import { interrupted } from "../interruption.ts";
import { Counts } from "./counts.ts";
import type { Count, Listening } from "./questions.ts";
import { type Ending, Worker } from "./worker.ts";

export interface WorkersOptions {
  readonly count: number;
  /** At which they listen, instead of what their own settings say. */
  readonly port?: number;
  readonly context: Time;
  /** Says something to people. */
  readonly say: (text: string) => void;
}

/** A worker could not start: it has said itself why, and ended with this. */
export class WorkerFailed extends Error {
  readonly ending: Ending;
  constructor(number: number, ending: Ending) {
    super(`worker ${number} ended before it answered, with ${endingText(ending)}`);
    this.ending = ending;
  }
}

/** So long a worker must have answered for its end not to count as one of a row of failures. */
const steadyMs = 10_000;

/**
 * Keeps several processes of this program that share one port. The first one also runs the pipelines. One that dies is
 * replaced, and all are exchanged for new ones, one after another, by `reload`.
 */
export class Workers {
  /** What the first worker said. */
  readonly listening: Listening;
  readonly #options: WorkersOptions;
  readonly #counts: Counts;
  /** By number, from 1 on. */
  readonly #workers = new Map<number, Worker>();
  /** Those that are to end and have not yet. */
  readonly #leaving = new Set<Promise<Ending>>();
  readonly #stopping = new AbortController();
  #socket: string | undefined;
  #reloading: Promise<void> | undefined;

  private constructor(options: WorkersOptions, counts: Counts, first: Worker, listening: Listening) {
    this.#options = options;
    this.#counts = counts;
    this.listening = listening;
    this.#socket = listening.socket;
    this.#keep(first);
  }

  /** Resolves when all of them answer requests. Rejects with WorkerFailed, and all of them ended again. */
  static async start(options: WorkersOptions): Promise<Workers> {
    const counts = new Counts(() => options.context.now());
    const all: { workers?: Workers } = {};
    const first = Worker.start(
      1,
      answersOf(counts, () => all.workers),
      options.port,
    );
    const listening = await first.ready;
    if (listening === undefined) throw new WorkerFailed(1, await first.ended);
    const workers = new Workers(options, counts, first, listening);
    all.workers = workers;
    try {
      await first.work();
      // One after another: what is missing in a place is created by the first that comes.
      for (let number = 2; number <= options.count; number += 1) workers.#keep(await workers.#startOne(number));
    } catch (error) {
      await workers.close();
      throw error;
    }
    return workers;
  }

  /**
   * Exchanges every worker for a new one, which reads code and configuration anew; the old one ends when it has finished
   * what it does, after the new one answers. Rejects with CONFIG_INVALID when a new one cannot start: those that are
   * left go on as they were.
   */
  reload(): Promise<void> {
    this.#reloading ??= this.#exchangeAll().finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  /** Resolves when all workers have finished what they did and have ended. Safe to call twice. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop("soon")));
    await Promise.all(this.#leaving);
  }

  async #startOne(number: number): Promise<Worker> {
    const answers = answersOf(this.#counts, () => this);
    const worker = Worker.start(number, answers, this.#options.port);
    const listening = await worker.ready;
    if (listening === undefined) throw new WorkerFailed(number, await worker.ended);
    if (listening.socket !== undefined) this.#socket = listening.socket;
    await worker.peer(number === 1 ? undefined : this.#socket);
    return worker;
  }

  /** From here on the worker is replaced when it ends by itself. */
  #keep(worker: Worker): void {
    this.#workers.set(worker.number, worker);
    const sinceMs = this.#options.context.now();
    worker.ended
      .then((ending) => this.#replace(worker, ending, sinceMs))
      .catch((error: unknown) => this.#options.say(`worker ${worker.number} is not replaced: ${String(error)}`));
  }

  async #replace(worker: Worker, ending: Ending, sinceMs: number): Promise<void> {
    const { number } = worker;
    const { context, say } = this.#options;
    if (this.#stopping.signal.aborted || this.#workers.get(number) !== worker) return;
    say(`worker ${number} (process ${worker.pid}) has ended with ${endingText(ending)}; another one takes its place`);
    if (number === 1) await this.#tellPeer(undefined);
    const first = context.now() - sinceMs < steadyMs ? 1 : 0;
    for (let attempt = first; !this.#stopping.signal.aborted; attempt += 1) {
      if (attempt > 0) await this.#pause(attempt);
      try {
        await this.#begin(await this.#startOne(number));
        return;
      } catch (error) {
        if (!(error instanceof WorkerFailed)) throw error;
        say(error.message);
      }
    }
  }

  async #pause(attempt: number): Promise<void> {
    const ms = Math.min(limit.pipelinePauseMaxMs, retryPauseMs(attempt, Math.random()) * 10);
    await pauseUnlessAborted(ms, this.#options.context, this.#stopping.signal);
  }

  async #begin(worker: Worker): Promise<void> {
    if (this.#stopping.signal.aborted) return void (await worker.stop("soon"));
    this.#keep(worker);
    if (worker.number === 1) await Promise.all([worker.work(), this.#tellPeer(this.#socket)]);
  }

  async #tellPeer(socket: string | undefined): Promise<void> {
    this.#socket = socket;
    const others = [...this.#workers.values()].filter(({ number }) => number !== 1);
    await Promise.all(others.map((worker) => worker.peer(socket)));
  }

  async #exchangeAll(): Promise<void> {
    for (const number of [...this.#workers.keys()].sort((a, b) => a - b)) {
      if (this.#stopping.signal.aborted) throw interrupted();
      await this.#exchange(number);
    }
  }

  async #exchange(number: number): Promise<void> {
    const old = this.#workers.get(number);
    const worker = await this.#startOne(number).catch((error: unknown) => {
      throw error instanceof WorkerFailed ? notStarted(error) : error;
    });
    // Pipelines go over when the old worker has let go of their lanes, so that nothing is read twice for nothing.
    this.#keep(worker);
    if (number === 1) await this.#tellPeer(this.#socket);
    const ended = old?.stop("gently");
    if (ended === undefined) return;
    this.#leaving.add(ended);
    const left = ended.finally(() => this.#leaving.delete(ended));
    if (number === 1) await left.then(() => worker.work());
    else await left;
  }

  /** What every worker answers, less those that end meanwhile. */
  async figures(): Promise<unknown[]> {
    const all = await Promise.all([...this.#workers.values()].map((worker) => worker.figures()));
    return all.filter((one) => one !== undefined && one !== null);
  }
}

function answersOf(counts: Counts, workers: () => Workers | undefined) {
  return {
    count: (what: Count) => counts.add(what),
    figures: () => workers()?.figures() ?? [],
  };
}

function notStarted({ message }: WorkerFailed): MillraceError {
  return new MillraceError("CONFIG_INVALID", `The new workers cannot start: ${message}`, {
    remedy: "The log says why. The workers that were there go on; mend it and reload again.",
  });
}

function endingText({ code, signal }: Ending): string {
  return signal ?? `exit code ${code ?? "unknown"}`;
}
