import type { LogRecord } from "../../ports/log.ts";
import { bytesOf } from "./entry.ts";

/** Besides its key, value and id: what a record takes in a command. */
const recordBytes = 64;

/** One append, and how far its records have been written. */
export class AppendCall {
  readonly records: readonly LogRecord[];
  readonly bytes: number;
  readonly done: Promise<void>;
  /** Records that are written. */
  written = 0;
  failed = false;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;

  constructor(records: readonly LogRecord[]) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.records = records;
    this.bytes = records.reduce((sum, record) => sum + sizeOf(record), 0);
    this.done = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get isWritten(): boolean {
    return !this.failed && this.written === this.records.length;
  }

  confirm(): void {
    this.#resolve();
  }

  /** Only the first failure is told. */
  fail(error: unknown): void {
    this.failed = true;
    this.#reject(error);
  }
}

export function sizeOf(record: LogRecord): number {
  return bytesOf(record) + recordBytes;
}
