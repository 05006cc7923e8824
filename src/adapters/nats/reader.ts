import { limit } from "../../core/limit.ts";
import { Patience } from "../../core/patience.ts";
import { type Time, unlessAborted } from "../../core/time.ts";
import { type KeptRecord, LaneReplaced, type LogLane, RecordsGone } from "../../ports/log.ts";
import type { Address } from "./address.ts";
import type { Connection } from "./connection.ts";
import { classifyError, isMissing } from "./errors.ts";
import { Pull } from "./pull.ts";
import { endsTooEarly } from "./refusals.ts";
import { infoOf, type LaneStream, type Streams } from "./streams.ts";

/** A stream that was created so long ago is ready, by whatever clock. */
const youngMs = 60_000;

/** What a reader works with. */
export interface ReaderParts {
  readonly address: Address;
  readonly connection: Connection;
  readonly streams: Streams;
  readonly time: Time;
}

/** Reads one lane, by one consumer after another when they or the connection are lost. */
export class LaneReader {
  readonly #parts: ReaderParts;
  readonly #lane: LogLane;
  readonly #of: LaneStream;
  readonly #stream: string;
  readonly #signal: AbortSignal;
  readonly #patience: Patience;
  /** The sequence that comes next. */
  #next: bigint;

  constructor(parts: ReaderParts, lane: LogLane, of: LaneStream, offset: bigint, signal: AbortSignal) {
    this.#parts = parts;
    this.#lane = lane;
    this.#of = of;
    this.#stream = of.stream;
    this.#signal = signal;
    this.#patience = new Patience({
      time: parts.time,
      signal,
      patienceMs: limit.natsPatienceMs,
      classify: classifyError,
      random: Math.random,
    });
    // Sequences begin with 1.
    this.#next = offset > 1n ? offset : 1n;
  }

  /** See `Log.read`. */
  async *pieces(): AsyncGenerator<readonly KeptRecord[], void> {
    while (!this.#signal.aborted) {
      try {
        yield* this.#fromOneConsumer();
      } catch (error) {
        if (this.#signal.aborted) return;
        await this.#patience.bear(error);
      }
    }
  }

  async *#fromOneConsumer(): AsyncGenerator<readonly KeptRecord[], void> {
    const pull = await this.#begin();
    try {
      for (let some = await pull.next(this.#signal); some !== undefined; some = await pull.next(this.#signal)) {
        this.#patience.renew();
        for (const piece of piecesOf(some)) {
          await this.#checkGaps(piece);
          this.#next = (piece.at(-1)?.offset ?? 0n) + 1n;
          yield piece;
          if (this.#signal.aborted) return;
        }
      }
    } finally {
      await pull.end();
    }
  }

  async #begin(): Promise<Pull> {
    const { connection, streams, time } = this.#parts;
    const client = await unlessAborted(connection.client(), this.#signal);
    const info = await infoOf(client, this.#stream);
    if (info === undefined) throw this.#replaced();
    if (time.now() - Date.parse(info.created) < youngMs) await streams.ready(this.#of);
    const pull = await this.#pullFrom(client, time);
    try {
      await this.#checkStream(this.#next);
      return pull;
    } catch (error) {
      await pull.end();
      throw error;
    }
  }

  async #pullFrom(client: Awaited<ReturnType<Connection["client"]>>, time: Time): Promise<Pull> {
    try {
      return await Pull.from(client, this.#stream, this.#next, time);
    } catch (error) {
      throw isMissing(error) ? this.#replaced() : error;
    }
  }

  /** Throws LaneReplaced, RecordsGone, and SINK_REFUSED when the stream ends before what is next. */
  async #checkStream(next: bigint): Promise<void> {
    const info = await infoOf(await this.#parts.connection.client(), this.#stream);
    if (info?.created !== this.#lane.incarnation) throw this.#replaced();
    const end = BigInt(info.state.last_seq) + 1n;
    if (next > end) throw endsTooEarly(this.#parts.address, this.#stream, next, end);
    const first = BigInt(info.state.first_seq);
    if (first > next) throw new RecordsGone(this.#lane.name, next, first);
  }

  /** Sequences that are missing in between were removed one by one, which is no loss, or trimmed from the start. */
  async #checkGaps(piece: readonly KeptRecord[]): Promise<void> {
    let next = this.#next;
    for (const { offset } of piece) {
      if (offset !== next) await this.#checkStream(next).catch((error: unknown) => throwGone(error, offset));
      next = offset + 1n;
    }
  }

  #replaced(): LaneReplaced {
    return new LaneReplaced(`the stream ${this.#stream} is not the one it was`);
  }
}

/** Meanwhile more may have been trimmed, of which this reader has the first already. */
function throwGone(error: unknown, offset: bigint): never {
  throw error instanceof RecordsGone ? new RecordsGone(error.lane, error.wanted, offset) : error;
}

function* piecesOf(records: readonly KeptRecord[]): Generator<readonly KeptRecord[]> {
  let [from, bytes] = [0, 0];
  for (const [index, { value }] of records.entries()) {
    if (index > from && bytes + value.length > limit.logPieceBytes) {
      yield records.slice(from, index);
      [from, bytes] = [index, 0];
    }
    bytes += value.length;
  }
  if (from < records.length) yield records.slice(from);
}
