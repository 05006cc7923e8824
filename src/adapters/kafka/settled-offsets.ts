import { limit } from "../../core/limit.ts";
import { pauseUnlessAborted } from "../../core/time.ts";
import type { LogLane } from "../../ports/log.ts";
import type { Membership, MembershipParts } from "./membership.ts";
import { requests } from "./requests.ts";

/** How long the end waits for the last offsets to be told. */
const lastMs = 1_000;

/**
 * Tells Kafka how far groups have stored, now and then: for tools that show lag. Whatever cannot be told is told with the
 * next, or never: nothing is read from it.
 */
export class SettledOffsets {
  readonly #parts: MembershipParts;
  readonly #members: ReadonlySet<Membership>;
  readonly #ending = new AbortController();
  /** By group, by lane: what has not been told. */
  readonly #untold = new Map<string, Map<string, { readonly lane: LogLane; readonly offset: bigint }>>();
  #telling: Promise<void> | undefined;

  constructor(parts: MembershipParts, members: ReadonlySet<Membership>) {
    this.#parts = parts;
    this.#members = members;
  }

  settle(group: string, lane: LogLane, offset: bigint): void {
    const lanes = this.#untold.get(group) ?? new Map<string, { readonly lane: LogLane; readonly offset: bigint }>();
    this.#untold.set(group, lanes.set(lane.name, { lane, offset }));
    if (!this.#ending.signal.aborted) this.#telling ??= this.#tellLater();
  }

  /** Tells what is left, and waits for that only a moment. Never throws. */
  async close(): Promise<void> {
    this.#ending.abort();
    const patience = new AbortController();
    await Promise.race([this.#telling, pauseUnlessAborted(lastMs, this.#parts.time, patience.signal)]);
    patience.abort();
  }

  async #tellLater(): Promise<void> {
    while (this.#untold.size > 0) {
      await pauseUnlessAborted(limit.kafkaSettleMs, this.#parts.time, this.#ending.signal);
      await this.#tell();
    }
    this.#telling = undefined;
  }

  async #tell(): Promise<void> {
    for (const [group, lanes] of [...this.#untold]) {
      this.#untold.delete(group);
      try {
        await this.#commit(group, [...lanes.values()]);
      } catch (error) {
        this.#parts.coordinators.doubt(group, error);
      }
    }
  }

  /** As the member of this process where there is one; a group without members takes offsets from anyone. */
  async #commit(group: string, settled: readonly { readonly lane: LogLane; readonly offset: bigint }[]): Promise<void> {
    const { cluster, coordinators, address } = this.#parts;
    const current = settled.filter(({ lane }) => lane.incarnation === cluster.view?.id);
    if (current.length === 0) return;
    const member = [...this.#members].find((one) => one.group === group)?.identity;
    const { memberId, generation } = member ?? { memberId: "", generation: -1 };
    const partitions = current.map(({ lane, offset }) => ({
      partitionIndex: Number(lane.name),
      committedOffset: offset,
      committedLeaderEpoch: -1,
    }));
    const noStaticMember = null;
    const who = [group, generation, memberId, noStaticMember] as const;
    const topics = [{ name: address.topic, partitions }];
    const coordinator = await coordinators.of(group);
    await cluster.wires.send(coordinator, "heartbeat", requests.offsetCommit, ...who, topics);
  }
}
