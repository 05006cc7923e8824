import type { LogRecord } from "../../ports/log.ts";
import type { AppendCall } from "./append-call.ts";
import type { Compression } from "./compression.ts";
import { BatchBytes, recordsOf, stampBatch } from "./record-batch.ts";

/** Under which number batches are written (InitProducerId). */
export interface Writer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

const epochMax = 2 ** 15 - 1;
const sequences = 2 ** 31;

/** Records of one partition that are sent together. */
export class PendingBatch {
  readonly bytes = new BatchBytes();
  /** Of each record, whose append it is of. */
  readonly calls: AppendCall[] = [];
  readonly openedAt: number;
  /** When it is given up, in ms since 1970: with the first of its appends. */
  readonly deadline: number;
  /** Undefined while records are added. */
  sealed: Buffer | undefined;
  stamp: (Writer & { readonly baseSequence: number }) | undefined;
  /** How often it was sent. */
  attempts = 0;
  retryAt = 0;
  lastError: unknown;
  /** Of its bytes, those that count against the bound on what stands in batches. */
  countedBytes = 0;
  /** Its appends have been told that they are not confirmed. */
  givenUp = false;
  #closed = false;

  constructor(openedAt: number, deadline: number) {
    this.openedAt = openedAt;
    this.deadline = deadline;
  }

  get closed(): boolean {
    return this.#closed;
  }

  add(record: LogRecord, call: AppendCall): void {
    this.bytes.add(record);
    this.calls.push(call);
  }

  /** Takes no more records. */
  close(): void {
    this.#closed = true;
  }

  async seal(compression: Compression): Promise<Buffer> {
    this.close();
    this.sealed ??= await this.bytes.seal(compression);
    return this.sealed;
  }

  confirm(): void {
    for (const [call, records] of counted(this.calls)) call.confirm(records);
  }

  fail(error: unknown): void {
    this.givenUp = true;
    for (const call of new Set(this.calls)) call.fail(error);
  }
}

/**
 * The batches of one partition, in their order. One of them is under way at a time, and what is tried again is the same
 * bytes under the same stamp: so brokers drop repeats, and nothing overtakes (KIP-98).
 */
export class PartitionQueue {
  readonly partition: number;
  readonly #batches: PendingBatch[] = [];
  #writer: Writer | undefined;
  #nextSequence = 0;
  sending = false;

  constructor(partition: number) {
    this.partition = partition;
  }

  get head(): PendingBatch | undefined {
    return this.#batches[0];
  }

  get last(): PendingBatch | undefined {
    return this.#batches.at(-1);
  }

  get length(): number {
    return this.#batches.length;
  }

  /** Whether all of it is confirmed or given up; an answer may still be waited for. */
  get isSettled(): boolean {
    return this.#batches.every(({ givenUp }) => givenUp);
  }

  push(batch: PendingBatch): void {
    this.#batches.push(batch);
  }

  /** When the first batch is to be sent; undefined when there is none, or it is under way. */
  dueAt(lingerMs: number): number | undefined {
    const { head } = this;
    if (head === undefined || this.sending) return undefined;
    if (head.attempts > 0) return head.retryAt;
    return head.closed || this.length > 1 ? 0 : head.openedAt + lingerMs;
  }

  /** Before the first batch is sent: puts it in the order of all that is written to the partition. */
  stamp(batch: PendingBatch, sealed: Buffer, newWriter: Writer): void {
    if (batch.stamp !== undefined) return;
    if (this.#writer === undefined) {
      this.#writer = newWriter;
      this.#nextSequence = 0;
    }
    batch.stamp = { ...this.#writer, baseSequence: this.#nextSequence };
    stampBatch(sealed, batch.stamp);
    this.#nextSequence = (this.#nextSequence + batch.bytes.count) % sequences;
  }

  /**
   * Takes a batch out, and says what became of it. `written`: it is in the log; `refused`: it is not; `unknown`: it may be,
   * or may still come in, so the next one takes a higher epoch, behind which brokers let nothing of this one in (KIP-360);
   * `fenced`: the writer may not go on. Answers whether a new writer is needed.
   */
  remove(batch: PendingBatch, fate: "written" | "refused" | "unknown" | "fenced"): boolean {
    const index = this.#batches.indexOf(batch);
    if (index >= 0) this.#batches.splice(index, 1);
    if (fate === "written" || batch.stamp === undefined || this.#writer === undefined) return false;
    if (fate === "refused" && batch.attempts <= 1) {
      this.#nextSequence = batch.stamp.baseSequence;
      return false;
    }
    this.#nextSequence = 0;
    const next = { ...this.#writer, producerEpoch: this.#writer.producerEpoch + 1 };
    this.#writer = fate === "fenced" || next.producerEpoch > epochMax ? undefined : next;
    return this.#writer === undefined;
  }

  /** Puts two halves in the place of a batch that was refused as a whole, to find what is wrong in it. */
  async halve(batch: PendingBatch): Promise<boolean> {
    const records = await recordsOf(await batch.seal("none"));
    const renew = this.remove(batch, "refused");
    const middle = records.length >>> 1;
    const halves = [0, middle].map((start, half) => {
      const part = new PendingBatch(batch.openedAt, batch.deadline);
      for (let index = start; index < (half === 0 ? middle : records.length); index += 1) {
        const [record, call] = [records[index], batch.calls[index]];
        if (record !== undefined && call !== undefined) part.add(record, call);
      }
      part.close();
      part.countedBytes = half === 0 ? batch.countedBytes : 0;
      return part;
    });
    this.#batches.unshift(...halves);
    return renew;
  }

  /** When the next batch is to be given up. */
  get deadline(): number {
    return this.#batches.find(({ givenUp }) => !givenUp)?.deadline ?? Number.POSITIVE_INFINITY;
  }

  /** The batches whose time is over. */
  expired(now: number): readonly PendingBatch[] {
    return this.#batches.filter(({ deadline }) => deadline <= now);
  }
}

function counted(calls: readonly AppendCall[]): ReadonlyMap<AppendCall, number> {
  const counts = new Map<AppendCall, number>();
  for (const call of calls) counts.set(call, (counts.get(call) ?? 0) + 1);
  return counts;
}
