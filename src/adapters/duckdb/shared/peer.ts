import type { Socket } from "node:net";
import { MillraceError } from "../../../core/error.ts";
import { limit } from "../../../core/limit.ts";
import { Arrivals } from "./arrivals.ts";
import { Credit } from "./credit.ts";
import { type Frame, parseFrame } from "./frame.ts";
import { Cutter, decode, encode, frameOf } from "./frames.ts";
import { receivedError, sentError } from "./sent-error.ts";

/** Answers what the other side asks, once or in pieces. An error becomes the other side's. */
export type Answers = (name: string, args: readonly unknown[]) => Promise<unknown> | AsyncIterable<readonly unknown[]>;

/** One that waits for the other side's answer. */
interface Waiting {
  piece(items: readonly unknown[]): void;
  end(value: unknown): void;
  fail(error: Error): void;
}

/**
 * One end of a socket over which two processes ask each other. What is asked at once is answered side by side, in any
 * order. Once the socket has gone everything fails with what `lost` makes. While nothing is waited for, the socket keeps no
 * process from ending.
 */
export class Peer {
  /** Resolves when the other side has gone. */
  readonly gone: Promise<void>;
  readonly #socket: Socket;
  readonly #answers: Answers;
  readonly #lost: (cause: unknown) => Error;
  readonly #waiting = new Map<number, Waiting>();
  readonly #credits = new Map<number, Credit>();
  readonly #answering = new Set<Promise<void>>();
  #calls = 0;
  #isLost = false;
  /** Why, where the socket or what came over it was at fault. */
  #cause: unknown;

  constructor(socket: Socket, frames: AsyncIterable<Buffer>, answers: Answers, lost: (cause: unknown) => Error) {
    this.#socket = socket;
    this.#answers = answers;
    this.#lost = lost;
    this.#rest();
    this.gone = this.#listen(frames);
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Asks and waits for the answer. */
  call(name: string, args: readonly unknown[]): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const misfit = (): void => reject(new TypeError(`${name} was answered in pieces`));
    this.#ask(name, args, { piece: misfit, end: resolve, fail: reject });
    return promise;
  }

  /** Asks for a long answer, of which no more than a few pieces are on their way. Leaving the loop ends it there too. */
  async *list(name: string, args: readonly unknown[]): AsyncIterable<readonly unknown[]> {
    const arrivals = new Arrivals<readonly unknown[]>();
    const id = this.#ask(name, args, {
      piece: (items) => arrivals.add(items),
      end: () => arrivals.end(),
      fail: (error) => arrivals.end(error),
    });
    try {
      for (let items = await arrivals.next(); items !== undefined; items = await arrivals.next()) {
        yield items;
        this.#send({ kind: "more", id });
      }
    } finally {
      if (!arrivals.isEnded) this.#send({ kind: "stop", id });
      await arrivals.ended;
    }
  }

  /** Ends the connection at once. */
  end(): void {
    this.#socket.destroy();
  }

  #ask(name: string, args: readonly unknown[], waiting: Waiting): number {
    this.#calls += 1;
    const id = this.#calls;
    if (this.#isLost) {
      waiting.fail(this.#lost(this.#cause));
      return id;
    }
    this.#waiting.set(id, waiting);
    this.#rest();
    try {
      this.#send({ kind: "call", id, name, args });
    } catch (error) {
      this.#settle(id)?.fail(error instanceof Error ? error : new Error(String(error)));
    }
    return id;
  }

  async #listen(frames: AsyncIterable<Buffer>): Promise<void> {
    try {
      for await (const content of frames) this.#take(parseFrame(decode(content)));
    } catch (error) {
      this.#cause = error; // for those who wait on the connection: to them it is lost
    }
    this.#lose();
  }

  #lose(): void {
    this.#isLost = true;
    this.#socket.destroy();
    const left = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of left) waiting.fail(this.#lost(this.#cause));
    for (const credit of this.#credits.values()) credit.stop();
  }

  #take(frame: Frame): void {
    switch (frame.kind) {
      case "call":
        return this.#begin(frame.id, frame.name, frame.args);
      case "piece":
        return this.#waiting.get(frame.id)?.piece(frame.items);
      case "answer":
        return this.#settle(frame.id)?.end(frame.value);
      case "failure":
        return this.#settle(frame.id)?.fail(receivedError(frame.error));
      case "more":
        return this.#credits.get(frame.id)?.add();
      case "stop":
        return this.#credits.get(frame.id)?.stop();
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    this.#rest();
    return waiting;
  }

  #rest(): void {
    if (this.#waiting.size === 0) this.#socket.unref();
    else this.#socket.ref();
  }

  #begin(id: number, name: string, args: readonly unknown[]): void {
    const answering = this.#answer(id, name, args).finally(() => this.#answering.delete(answering));
    this.#answering.add(answering);
  }

  /** Never rejects: a failure is sent. */
  async #answer(id: number, name: string, args: readonly unknown[]): Promise<void> {
    try {
      const answer = this.#answers(name, args);
      const value = Symbol.asyncIterator in answer ? await this.#sendPieces(id, answer) : await answer;
      this.#send({ kind: "answer", id, value });
    } catch (error) {
      this.#fail(id, error);
    }
  }

  async #sendPieces(id: number, pieces: AsyncIterable<readonly unknown[]>): Promise<void> {
    const credit = new Credit(limit.sharedPiecesAhead);
    const cutter = new Cutter((some: readonly unknown[]): Frame => ({ kind: "piece", id, items: some }));
    this.#credits.set(id, credit);
    try {
      for await (const items of pieces) {
        for (const frame of cutter.cut(items)) {
          if (!(await credit.take())) return;
          this.#write(frame);
        }
        if (this.#isLost || credit.isStopped) return;
      }
    } finally {
      this.#credits.delete(id);
    }
  }

  #fail(id: number, error: unknown): void {
    try {
      this.#send({ kind: "failure", id, error: sentError(error) });
    } catch (cause) {
      const tooLarge = new MillraceError("INTERNAL", "An error is too large to be told to another process", {
        remedy: "Please report it with what was being done.",
        cause,
      });
      this.#send({ kind: "failure", id, error: sentError(tooLarge) });
    }
  }

  #send(frame: Frame): void {
    this.#write(frameOf(encode(frame)));
  }

  #write(frame: Buffer): void {
    if (!this.#isLost) this.#socket.write(frame);
  }
}
