import type { LogRecord } from "../../ports/log.ts";

/** Of a record in a batch, besides its key, value and id. */
const recordBytes = 32;

/** One append: its records, how far they have been put into batches, and what is not confirmed yet. */
export class AppendCall {
  readonly records: readonly LogRecord[];
  readonly bytes: number;
  /** When it is given up, in ms since 1970. */
  readonly deadline: number;
  readonly done: Promise<void>;
  /** Records that have been put into batches. */
  placed = 0;
  failed = false;
  #unconfirmed: number;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;

  constructor(records: readonly LogRecord[], deadline: number) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.records = records;
    this.bytes = records.reduce((sum, record) => sum + bytesOf(record), 0);
    this.deadline = deadline;
    this.done = promise;
    this.#unconfirmed = records.length;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  confirm(records: number): void {
    this.#unconfirmed -= records;
    if (this.#unconfirmed === 0) this.#resolve();
  }

  /** Only the first failure is told. */
  fail(error: unknown): void {
    this.failed = true;
    this.#reject(error);
  }
}

function bytesOf({ key, value, id }: LogRecord): number {
  return (key?.length ?? 0) + value.length + (id?.length ?? 0) + recordBytes;
}
