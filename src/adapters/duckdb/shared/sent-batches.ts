import type { SinkBatch } from "../../../ports/sink.ts";
import type { Refusal } from "../written-batch.ts";
import type { Answers } from "./peer.ts";
import type { GuestLists, ListAnswers } from "./protocol.ts";

/** The batches that the host writes just now: this process alone can make rejects of their rows. */
export class SentBatches {
  readonly #batches = new Map<number, SinkBatch>();
  #numbers = 0;

  /** Keeps the batch at hand while `work` has it written under a number. */
  async during<Result>(batch: SinkBatch, work: (write: number) => Promise<Result>): Promise<Result> {
    this.#numbers += 1;
    const write = this.#numbers;
    this.#batches.set(write, batch);
    try {
      return await work(write);
    } finally {
      this.#batches.delete(write);
    }
  }

  readonly answers: Answers = (name, args) => {
    if (name !== "refuse") throw new TypeError(`a guest does not answer "${name}"`);
    const [write, refusals] = args as Parameters<GuestLists["refuse"]>;
    return this.#lists.refuse(write, refusals);
  };

  readonly #lists: ListAnswers<GuestLists> = {
    refuse: (write, refusals) => this.#refuse(write, refusals),
  };

  async *#refuse(write: number, refusals: readonly Refusal[]) {
    const batch = this.#batches.get(write);
    if (batch === undefined) throw new TypeError("the batch is not being written any more");
    yield refusals.map(([row, reason]) => batch.refuse(row, reason));
  }
}
