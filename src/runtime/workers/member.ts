import { Channel } from "./channel.ts";
import {
  type Count,
  type Counted,
  type Listening,
  ofKeeper,
  ofWorker,
  portVariable,
  workerVariable,
} from "./questions.ts";

/** This process as one of several workers of a service. */
export interface Member {
  /** From 1 on. */
  readonly number: number;
  /** At which it is to listen, whatever its settings say; undefined where these hold. */
  readonly port: number | undefined;
  /** Aborts when this worker is to finish what it does and end; its reason is `gently` where another one is there already. */
  readonly stop: AbortSignal;
  /** Resolves when this worker is to run the pipelines; never where another one does. */
  readonly whenToWork: Promise<void>;
  /** Where the worker that runs the pipelines takes requests; undefined while there is none, and of itself. */
  readonly peer: string | undefined;
  /** Tells that requests are answered. */
  listening(what: Listening): Promise<void>;
  /** Counts for all workers together. */
  count(what: Count): Promise<Counted>;
  /** What every worker answers to `figures`; those that end meanwhile are left out. */
  figuresOfAll(): Promise<readonly unknown[]>;
  /** What this worker answers when it is asked for its figures. */
  onFigures(answer: () => unknown): void;
}

/** Undefined where this process is not a worker: it was not started by one that keeps several. */
export function joinWorkers(): Member | undefined {
  const number = Number(process.env[workerVariable]);
  if (!(number >= 1) || process.send === undefined) return undefined;
  const stop = new AbortController();
  const work = Promise.withResolvers<void>();
  let peer: string | undefined;
  let figures: () => unknown = () => null;
  const channel = new Channel(
    {
      send: (message, sent) => process.send?.(message, undefined, {}, sent),
      onMessage: (heard) => void process.on("message", heard),
      onEnd: (ended) => void process.once("disconnect", ended),
    },
    {
      [ofWorker.work]: () => work.resolve(),
      [ofWorker.peer]: (path: string | null) => void (peer = path ?? undefined),
      [ofWorker.stop]: (how: string) => stop.abort(how),
      [ofWorker.figures]: () => figures(),
    },
  );
  const port = process.env[portVariable];
  return {
    number,
    port: port === undefined ? undefined : Number(port),
    stop: stop.signal,
    whenToWork: work.promise,
    get peer() {
      return peer;
    },
    listening: (what) => channel.ask(ofKeeper.listening, what),
    count: (what) => channel.ask(ofKeeper.count, what),
    figuresOfAll: () => channel.ask(ofKeeper.figures),
    onFigures: (answer) => void (figures = answer),
  };
}
