import { MillraceError } from "../../core/error.ts";

/** What goes over the wire: a question, and the answer to it. */
interface Question {
  readonly ask: number;
  readonly about: string;
  readonly value: unknown;
}

interface Answer {
  readonly answer: number;
  readonly value?: unknown;
  readonly failure?: string;
}

/** One end of the pipe between the process that keeps the workers and one of them. */
export interface Wire {
  /** False, or an error, when the other end has gone. */
  send(message: object, sent: (error: Error | null) => void): unknown;
  onMessage(heard: (message: unknown) => void): void;
  onEnd(ended: () => void): void;
}

type Handler = (value: never) => unknown;

/** Questions in both directions between two processes. Values are those that JSON has. */
export class Channel {
  readonly #wire: Wire;
  readonly #handlers: Readonly<Record<string, Handler>>;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #asked = 0;
  #isOver = false;

  /** `handlers` answer what the other end asks about; what they throw, the other end is told. */
  constructor(wire: Wire, handlers: Readonly<Record<string, Handler>>) {
    this.#wire = wire;
    this.#handlers = handlers;
    wire.onMessage((message) => this.#hear(message));
    wire.onEnd(() => this.#end());
  }

  /** Resolves with the other end's answer. Rejects with INTERRUPTED when it ends before it has answered. */
  ask<Result = void>(about: string, value: unknown = null): Promise<Result> {
    if (this.#isOver) return Promise.reject(gone());
    this.#asked += 1;
    const ask = this.#asked;
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.set(ask, { resolve: (result) => resolve(result as Result), reject });
      this.#send({ ask, about, value } satisfies Question, () => this.#fail(ask, gone()));
    });
  }

  #hear(message: unknown): void {
    if (typeof message !== "object" || message === null) return;
    if ("ask" in message) {
      const question = message as Question;
      // Never rejects: what goes wrong is the answer.
      this.#answer(question).catch(() => undefined);
    } else if ("answer" in message) {
      const { answer, value, failure } = message as Answer;
      if (failure === undefined) this.#take(answer)?.resolve(value);
      else this.#fail(answer, new MillraceError("INTERNAL", failure, { remedy: "The log of the service has more." }));
    }
  }

  async #answer({ ask, about, value }: Question): Promise<void> {
    try {
      const handle = this.#handlers[about];
      if (handle === undefined) throw new TypeError(`nobody here knows about ${about}`);
      this.#send({ answer: ask, value: (await handle(value as never)) ?? null }, () => undefined);
    } catch (error) {
      this.#send({ answer: ask, failure: error instanceof Error ? error.message : String(error) }, () => undefined);
    }
  }

  #send(message: object, failed: () => void): void {
    try {
      this.#wire.send(message, (error) => {
        if (error !== null) failed();
      });
    } catch {
      failed(); // the pipe is closed
    }
  }

  #take(ask: number): { resolve: (value: unknown) => void; reject: (error: Error) => void } | undefined {
    const waiting = this.#waiting.get(ask);
    this.#waiting.delete(ask);
    return waiting;
  }

  #fail(ask: number, error: Error): void {
    this.#take(ask)?.reject(error);
  }

  #end(): void {
    this.#isOver = true;
    for (const ask of [...this.#waiting.keys()]) this.#fail(ask, gone());
  }
}

function gone(): MillraceError {
  return new MillraceError("INTERRUPTED", "The process at the other end has gone", {
    remedy: "Another one takes its place; try again.",
  });
}
