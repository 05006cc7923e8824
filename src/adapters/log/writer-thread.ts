import { fileURLToPath } from "node:url";
import { isMainThread, type MessagePort, parentPort, Worker, workerData } from "node:worker_threads";
import { type ErrorCode, MillraceError } from "../../core/error.ts";
import { explainError } from "./errors.ts";
import type { Moment } from "./steady-clock.ts";
import { type Piece, Writer, type WriterSettings } from "./writer.ts";

type Ask =
  | { readonly ask: "append"; readonly pieces: readonly Piece[]; readonly lanes: number; readonly now: Moment }
  | { readonly ask: "trim"; readonly now: Moment }
  | { readonly ask: "close" };

type Numbered = Ask & { readonly id: number };

interface Answer {
  readonly id: number;
  readonly value?: number | boolean;
  /** A MillraceError, which does not keep its code on its way between threads. */
  readonly failure?: { readonly code: ErrorCode; readonly message: string; readonly remedy: string };
}

interface ThreadData {
  readonly millraceLogWriter: WriterSettings;
}

/** A writer in a thread of its own. What is asked is done in that order. */
export class WriterThread {
  readonly #worker: Worker;
  readonly #asked = new Map<number, PromiseWithResolvers<number | boolean>>();
  readonly #ended: Promise<void>;
  #ids = 0;
  #failure: Error | undefined;

  constructor(settings: WriterSettings) {
    const data: ThreadData = { millraceLogWriter: settings };
    // This very module, compiled or not: see its end.
    this.#worker = new Worker(fileURLToPath(import.meta.url), {
      workerData: data,
      name: "millrace log",
      // Of the flags of this process none else: with --eval the thread would do what the process does, thread and all.
      execArgv: process.execArgv.filter((flag) => flag.startsWith("--disable-warning=")),
    });
    this.#worker.on("message", (answer: Answer) => this.#answered(answer));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    this.#worker.once("error", (error: unknown) => this.#failed(explainError(error, settings.shown)));
    this.#worker.once("exit", () => {
      this.#failed(explainError(new Error("the thread that writes has ended"), settings.shown));
      resolve();
    });
  }

  /** True when the thread has died. */
  get isDead(): boolean {
    return this.#failure !== undefined;
  }

  /** See `Writer.append`. The memory of the pieces is given away. */
  async append(pieces: readonly Piece[], lanes: number, now: Moment): Promise<number> {
    const memory = pieces.map(({ bytes }) => bytes.buffer);
    return Number(await this.#send({ ask: "append", pieces, lanes, now }, memory));
  }

  /** See `Writer.trim`. */
  async trim(now: Moment): Promise<boolean> {
    return (await this.#send({ ask: "trim", now })) === true;
  }

  /** Resolves when all that was asked is done and the files are let go. */
  async close(): Promise<void> {
    if (!this.isDead) await this.#send({ ask: "close" }).catch(() => undefined);
    await this.#ended;
  }

  #send(ask: Ask, memory: ArrayBuffer[] = []): Promise<number | boolean> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#ids += 1;
    const asked = Promise.withResolvers<number | boolean>();
    this.#asked.set(this.#ids, asked);
    const message: Numbered = { ...ask, id: this.#ids };
    this.#worker.postMessage(message, memory);
    return asked.promise;
  }

  #answered({ id, value = false, failure }: Answer): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (failure === undefined) asked?.resolve(value);
    else asked?.reject(new MillraceError(failure.code, failure.message, { remedy: failure.remedy }));
  }

  #failed(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#asked.values()) reject(this.#failure);
    this.#asked.clear();
  }
}

/** The other side: in the thread. */
async function serve(port: MessagePort, settings: WriterSettings): Promise<void> {
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  let opening: Promise<Writer> | undefined;
  const work = async (asked: Numbered): Promise<Answer> => {
    if (asked.ask === "close") {
      (await opening?.catch(() => undefined))?.close();
      close();
      return { id: asked.id };
    }
    opening ??= Writer.open(settings);
    const writer = await opening.catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    const value = asked.ask === "trim" ? writer.trim(asked.now) : writer.append(asked.pieces, asked.lanes, asked.now);
    return { id: asked.id, value };
  };
  let last: Promise<void> = Promise.resolve();
  port.on("message", (asked: Numbered) => {
    last = last.then(async () => {
      port.postMessage(await work(asked).catch((error: unknown) => failed(asked.id, error, settings.shown)));
      // Behind the answer, which is what somebody waits for.
      if (asked.ask === "append") await ring(opening);
    });
  });
  await closed;
  await last;
  port.close();
}

/** Where that fails, the others find what was appended when they look for it. */
async function ring(opening: Promise<Writer> | undefined): Promise<void> {
  try {
    (await opening)?.ring();
  } catch {
    // No writer could be opened, or the disk is full: a bell has no room then either.
  }
}

function failed(id: number, error: unknown, shown: string): Answer {
  const told = explainError(error, shown);
  const { message } = told;
  const { code, remedy } = told instanceof MillraceError ? told : { code: "INTERNAL" as const, remedy: "Report it." };
  return { id, failure: { code, message, remedy } };
}

function isThreadData(data: unknown): data is ThreadData {
  return typeof data === "object" && data !== null && "millraceLogWriter" in data;
}

if (!isMainThread && parentPort !== null && isThreadData(workerData)) {
  await serve(parentPort, workerData.millraceLogWriter);
}
