import { DiscardPolicy } from "@nats-io/jetstream";
import type { Time } from "../../core/time.ts";
import type { Address } from "./address.ts";
import { laneFull } from "./refusals.ts";
import type { Streams } from "./streams.ts";

/** How soon a full lane is looked at again, at most. */
const lookAgainMs = 250;

/** What a message takes in the file of a stream: `fileStoreMsgSize` of the server's filestore.go. */
export function storedBytes(subject: string, bytes: number): number {
  return 34 + subject.length + bytes;
}

interface LaneRoom {
  readonly bytesMax: number;
  usedBytes: number;
}

/**
 * How much room the lanes have, as far as is known here: an append that finds none is refused before anything of it is
 * sent. What other processes take meanwhile is found out when JetStream refuses a record.
 */
export class Room {
  readonly #address: Address;
  readonly #streams: Streams;
  readonly #time: Time;
  #lanes: Map<string, LaneRoom> | undefined;
  #looking: Promise<void> | undefined;
  #lookedAt = 0;

  constructor(address: Address, streams: Streams, time: Time) {
    this.#address = address;
    this.#streams = streams;
    this.#time = time;
  }

  /** Takes room in streams for the bytes that are asked for when a stream has a bound. Throws SINK_FULL. */
  async take(askBytes: () => ReadonlyMap<string, number>): Promise<void> {
    if (this.#lanes === undefined) await this.#look();
    if (this.#lanes?.size === 0) return;
    const bytes = askBytes();
    if (this.#lacking(bytes) !== undefined && this.#time.now() - this.#lookedAt >= lookAgainMs) await this.#look();
    const lacking = this.#lacking(bytes);
    if (lacking !== undefined) throw laneFull(this.#address, lacking, this.#lanes?.get(lacking)?.bytesMax ?? 0);
    for (const [stream, count] of bytes) {
      const lane = this.#lanes?.get(stream);
      if (lane !== undefined) lane.usedBytes += count;
    }
  }

  /** What is known is wrong: look before the next append. */
  forget(): void {
    this.#lanes = undefined;
  }

  #lacking(bytes: ReadonlyMap<string, number>): string | undefined {
    for (const [stream, count] of bytes) {
      const lane = this.#lanes?.get(stream);
      if (lane !== undefined && lane.usedBytes + count > lane.bytesMax) return stream;
    }
    return undefined;
  }

  /** Appends that come meanwhile wait for the same look. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookAnew().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookAnew(): Promise<void> {
    const infos = await this.#streams.infos();
    this.#lookedAt = this.#time.now();
    this.#lanes = new Map(
      [...infos].flatMap(([stream, { config, state }]) => {
        // One that drops its oldest messages is never full.
        const isBounded = config.max_bytes > 0 && config.discard === DiscardPolicy.New;
        return isBounded ? [[stream, { bytesMax: config.max_bytes, usedBytes: state.bytes }]] : [];
      }),
    );
  }
}
