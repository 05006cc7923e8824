import cluster, { type Worker as Fork } from "node:cluster";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Channel } from "./channel.ts";
import { type Listening, ofKeeper, ofWorker, portVariable, workerVariable } from "./questions.ts";

/** How a worker ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
}

/** What a worker is answered by the process that keeps it. */
export type KeeperAnswers = Readonly<Record<"count" | "figures", (value: never) => unknown>>;

/** A worker as the process that keeps it sees it. */
export class Worker {
  readonly number: number;
  readonly pid: number;
  readonly ended: Promise<Ending>;
  /** Resolves when it answers requests; undefined when it ended before. */
  readonly ready: Promise<Listening | undefined>;
  readonly #channel: Channel;

  private constructor(number: number, fork: Fork, answers: KeeperAnswers) {
    this.number = number;
    this.pid = fork.process.pid ?? 0;
    this.ended = new Promise((resolve) => {
      fork.once("exit", (code, signal) => resolve({ code, signal }));
    });
    const told = Promise.withResolvers<Listening | undefined>();
    this.ready = told.promise;
    // Never rejects: whoever waits for it is told that it ended.
    this.ended.then(() => told.resolve(undefined)).catch(() => undefined);
    // One that was killed leaves its socket behind.
    this.ready.then((listening) => this.#clearAfter(listening?.socket)).catch(() => undefined);
    this.#channel = new Channel(
      {
        send: (message, sent) => fork.send(message, undefined, undefined, sent),
        onMessage: (heard) => void fork.on("message", heard),
        onEnd: (ended) => void fork.once("disconnect", ended).once("exit", ended),
      },
      { ...answers, [ofKeeper.listening]: (what: Listening) => told.resolve(what) },
    );
  }

  async #clearAfter(socket: string | undefined): Promise<void> {
    if (socket === undefined) return;
    await this.ended;
    await rm(dirname(socket), { recursive: true, force: true });
  }

  /** Starts the program of this process once more, with the same arguments, at this port instead of theirs. */
  static start(number: number, answers: KeeperAnswers, port?: number): Worker {
    const place = port === undefined ? {} : { [portVariable]: String(port) };
    return new Worker(number, cluster.fork({ [workerVariable]: String(number), ...place }), answers);
  }

  /** It is to run the pipelines from now on. A worker that has gone is not told: its successor will be. */
  work(): Promise<void> {
    return this.#channel.ask(ofWorker.work).catch(() => undefined);
  }

  peer(socket: string | undefined): Promise<void> {
    return this.#channel.ask(ofWorker.peer, socket ?? null).catch(() => undefined);
  }

  /** Undefined when it ends before it has answered. */
  figures(): Promise<unknown> {
    return this.#channel.ask<unknown>(ofWorker.figures).catch(() => undefined);
  }

  /** Resolves when it has finished what it did and has ended. `gently`: its callers are left time to go to its successor. */
  async stop(how: "soon" | "gently"): Promise<Ending> {
    await this.#channel.ask(ofWorker.stop, how).catch(() => undefined); // it ends already
    return this.ended;
  }
}
