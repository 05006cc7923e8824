import {
  type API,
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
  type joinGroupV7,
  ResponseError,
} from "@platformatic/kafka";
import { Bell } from "../../core/bell.ts";
import { limit } from "../../core/limit.ts";
import { pauseUnlessAborted, type Time } from "../../core/time.ts";
import type { Address } from "./address.ts";
import type { Cluster } from "./cluster.ts";
import type { Coordinators } from "./coordinators.ts";
import { brokerErrorsOf, classifyError, withPurpose } from "./errors.ts";
import { pauseBefore } from "./patience.ts";
import { requests } from "./requests.ts";
import { shareOut } from "./share-out.ts";
import type { TopicWatch } from "./topic-watch.ts";

/** Kafka's protocol of consumers, so that its tools can show the group; the way of sharing out is Millrace's own. */
const protocolType = "consumer";
const protocolName = "millrace";
/** https://kafka.apache.org/protocol: ConsumerProtocolSubscription and ConsumerProtocolAssignment */
const protocolVersion = 3;
const noStaticMember = null;
const leaveMs = 2_000;
const rejoinMs = 20;

/** The broker has dropped the member: others may have its lanes. */
const dropped: ReadonlySet<string> = new Set(["UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "FENCED_INSTANCE_ID"]);

type Joined = joinGroupV7.JoinGroupResponse;

export interface MembershipParts {
  readonly address: Address;
  readonly cluster: Cluster;
  readonly coordinators: Coordinators;
  readonly watch: TopicWatch;
  readonly time: Time;
}

/**
 * One process of a group: joins it, says again and again that it is there, and joins anew when others come or go, when the
 * topic gets more partitions, and when it was dropped. While the group shares out anew it keeps what it had: who is
 * really to read is settled where positions are kept.
 */
export class Membership {
  readonly group: string;
  readonly #parts: MembershipParts;
  readonly #bell: Bell;
  readonly #changed: () => void;
  readonly #ending = new AbortController();
  #memberId = "";
  /** As whom it has said goodbye. */
  #leftAs = "";
  #generation = -1;
  /** Of the leader: the partitions of each topic as they were shared out. */
  #shared: ReadonlyMap<string, number> | undefined;
  #assigned: ReadonlySet<number> | undefined;
  /** Partitions that were taken away since `takeLost`. */
  #lost = new Set<number>();
  #failure: { readonly error: unknown } | undefined;
  readonly #running: Promise<void>;

  /** `changed` is called whenever what it has to say is another. */
  constructor(group: string, parts: MembershipParts, changed: () => void) {
    this.group = group;
    this.#parts = parts;
    this.#bell = new Bell(parts.time);
    this.#changed = changed;
    // Whoever leaves while it is being given a name has that to give back: the group would wait for it.
    this.#running = this.#run().then(() => this.#sayGoodbye());
  }

  /** The partitions that are this process's; undefined before the group has shared out. Throws what ended it. */
  get assigned(): ReadonlySet<number> | undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#assigned;
  }

  /** Partitions that were taken away since the last call, and may have been given back. */
  takeLost(): ReadonlySet<number> {
    const lost = this.#lost;
    this.#lost = new Set();
    return lost;
  }

  /** What to commit offsets as; undefined when it is in the group no more, or not yet. */
  get identity(): { readonly memberId: string; readonly generation: number } | undefined {
    const [memberId, generation] = [this.#memberId, this.#generation];
    return memberId === "" || generation < 0 ? undefined : { memberId, generation };
  }

  /** Leaves the group, so that others have its lanes at once. Does not wait for long, and never throws. */
  async leave(): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    this.#bell.ring();
    const patience = new AbortController();
    const { time } = this.#parts;
    await Promise.race([this.#sayGoodbye(), pauseUnlessAborted(leaveMs, time, patience.signal)]);
    patience.abort();
  }

  /** Resolves when nothing of it is under way. The connections are to be closed first. */
  ended(): Promise<void> {
    return this.#running;
  }

  async #sayGoodbye(): Promise<void> {
    if (this.#memberId === "" || this.#memberId === this.#leftAs) return;
    this.#leftAs = this.#memberId;
    try {
      const coordinator = await this.#parts.coordinators.of(this.group);
      const member = { memberId: this.#memberId };
      await this.#parts.cluster.wires.send(coordinator, "heartbeat", requests.leaveGroup, this.group, [member]);
    } catch {
      // Whoever cannot say that it leaves is dropped when its session ends.
    }
  }

  async #run(): Promise<void> {
    const { time } = this.#parts;
    let failures = 0;
    let failingSince: number | undefined;
    while (!this.#ending.signal.aborted) {
      try {
        await this.#join();
        failures = 0;
        failingSince = undefined;
        await this.#stay();
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        if (this.#passes(error)) {
          await pauseUnlessAborted(rejoinMs, time, this.#ending.signal);
          continue;
        }
        failingSince ??= time.now();
        if (classifyError(error) !== "wait" || time.now() - failingSince >= limit.kafkaPatienceMs)
          return this.#fail(error);
        failures += 1;
        await pauseBefore(failures, time, this.#ending.signal);
      }
    }
  }

  /** Whether it is part of a group's life. */
  #passes(error: unknown): boolean {
    this.#parts.coordinators.doubt(this.group, error);
    const names = brokerErrorsOf(error);
    if (!names.some((name) => dropped.has(name))) return names.includes("REBALANCE_IN_PROGRESS");
    this.#generation = -1;
    if (!names.includes("ILLEGAL_GENERATION")) this.#memberId = "";
    this.#assign(new Set());
    return true;
  }

  #fail(error: unknown): void {
    this.#failure = { error: withPurpose(error, `taking part in the group ${this.group}`) };
    this.#changed();
  }

  #assign(partitions: ReadonlySet<number>): void {
    const before = this.#assigned ?? new Set();
    for (const partition of before.difference(partitions)) this.#lost.add(partition);
    this.#assigned = partitions;
    this.#changed();
  }

  async #join(): Promise<void> {
    const joined = await this.#joinGroup();
    this.#memberId = joined.memberId;
    const isLeader = joined.leader === joined.memberId;
    const shares = isLeader ? await this.#shareOut(joined) : [];
    if (!isLeader) this.#shared = undefined;
    const { group } = this;
    const { generationId, memberId } = joined;
    const member = [group, generationId, memberId, noStaticMember, protocolType, protocolName] as const;
    const { assignment } = await this.#send("join", requests.syncGroup, ...member, shares);
    this.#generation = joined.generationId;
    const { assignedPartitions } = decodeConsumerProtocolAssignment(assignment);
    const { topic } = this.#parts.address;
    this.#assign(new Set(assignedPartitions.flatMap((one) => (one.topic === topic ? one.partitions : []))));
  }

  /** Whoever is new is first told its name, and joins again with it (KIP-394). */
  async #joinGroup(): Promise<Joined> {
    const { topic, sessionMs } = this.#parts.address;
    const owned = this.#generation < 0 ? [] : [{ topic, partitions: [...(this.#assigned ?? [])] }];
    const metadata = encodeConsumerProtocolSubscription({
      version: protocolVersion,
      topics: [topic],
      ownedPartitions: owned,
      generationId: this.#generation,
    });
    const join = (memberId: string): Promise<Joined> => {
      const times = [sessionMs, sessionMs] as const;
      const protocols = [{ name: protocolName, metadata }];
      return this.#send(
        "join",
        requests.joinGroup,
        this.group,
        ...times,
        memberId,
        noStaticMember,
        protocolType,
        protocols,
      );
    };
    try {
      return await join(this.#memberId);
    } catch (error) {
      if (!brokerErrorsOf(error).includes("MEMBER_ID_REQUIRED")) throw error;
      this.#memberId = nameIn(error);
      this.#ending.signal.throwIfAborted();
      return join(this.#memberId);
    }
  }

  async #shareOut({ members }: Joined): Promise<{ memberId: string; assignment: Buffer }[]> {
    const known = members.map(({ memberId, metadata }) => {
      const { topics, ownedPartitions, generationId } = decodeConsumerProtocolSubscription(metadata);
      const owned = new Map(ownedPartitions.map(({ topic, partitions }) => [topic, partitions]));
      return { id: memberId, topics, owned, generation: generationId };
    });
    const topics = [...new Set(known.flatMap((member) => member.topics))];
    this.#shared = await this.#parts.cluster.partitionCounts(topics);
    return [...shareOut(known, this.#shared)].map(([memberId, share]) => {
      const assignedPartitions = [...share].map(([topic, partitions]) => ({ topic, partitions: [...partitions] }));
      return {
        memberId,
        assignment: encodeConsumerProtocolAssignment({ version: protocolVersion, assignedPartitions }),
      };
    });
  }

  /** Says that it is there, until it is to join anew. Throws what the broker answers otherwise. */
  async #stay(): Promise<void> {
    const { watch, address, cluster } = this.#parts;
    const beatMs = Math.min(limit.kafkaHeartbeatMs, Math.floor(address.sessionMs / 3));
    while (!this.#ending.signal.aborted) {
      await this.#send("heartbeat", requests.heartbeat, this.group, this.#generation, this.#memberId, noStaticMember);
      if (this.#hasOtherPartitions()) return;
      watch.wantAfter(cluster.view === undefined ? beatMs : limit.kafkaTopicMs);
      await this.#bell.heard(beatMs);
    }
  }

  /** As the leader: whether the topic has other partitions than were shared out. */
  #hasOtherPartitions(): boolean {
    const { address, cluster } = this.#parts;
    if (this.#shared === undefined || cluster.view === undefined) return false;
    return cluster.view.partitions.length !== (this.#shared.get(address.topic) ?? 0);
  }

  async #send<Request extends unknown[], Answer>(
    use: "join" | "heartbeat",
    api: API<Request, Answer>,
    ...request: Request
  ): Promise<Answer> {
    const coordinator = await this.#parts.coordinators.of(this.group);
    return this.#parts.cluster.wires.send(coordinator, use, api, ...request);
  }
}

function nameIn(error: unknown): string {
  if (!(error instanceof ResponseError)) throw error;
  const { memberId } = error["response"] as Joined;
  return memberId;
}
