import type { MsgHdrs } from "@nats-io/transport-node";
import type { AppendCall } from "./append-call.ts";

/** A record on its way. */
export interface Item {
  readonly call: AppendCall;
  /** What decides its lane: its key, or its id, or chance. */
  readonly laneKey: Uint8Array;
  /** Its key as text; undefined when it has none. */
  readonly key: string | undefined;
  readonly headers: MsgHdrs;
  readonly value: Uint8Array;
  /** Headers and value. */
  readonly bytes: number;
}

/**
 * Records that are not confirmed. Of a key one at a time is let out, and the next when that one is done with: only so do
 * they keep their order when one of them is refused or lost while those behind it are not.
 */
export class Outbox {
  readonly #ready = new Set<Item>();
  /** Records that wait for an earlier one of their key. */
  readonly #behind = new Map<string, Item[]>();
  #bytes = 0;

  /** Of all records that are not done with. */
  get bytes(): number {
    return this.#bytes;
  }

  add(item: Item): void {
    this.#bytes += item.bytes;
    const behind = item.key === undefined ? undefined : this.#behind.get(item.key);
    if (behind !== undefined) {
      behind.push(item);
      return;
    }
    if (item.key !== undefined) this.#behind.set(item.key, []);
    this.#ready.add(item);
  }

  /** The next one to be sent; those of appends that have failed are left out. */
  next(): Item | undefined {
    for (const item of this.#ready) {
      this.#ready.delete(item);
      if (!item.call.failed) return item;
      this.done(item);
    }
    return undefined;
  }

  /** What was let out is to be sent again. */
  again(item: Item): void {
    this.#ready.add(item);
  }

  /** What was let out is confirmed, or given up. */
  done({ key, bytes }: Item): void {
    this.#bytes -= bytes;
    if (key === undefined) return;
    const next = this.#behind.get(key)?.shift();
    if (next === undefined) this.#behind.delete(key);
    else this.#ready.add(next);
  }
}
