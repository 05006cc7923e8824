import { Bell } from "../../core/bell.ts";
import { limit } from "../../core/limit.ts";
import { retryPauseMs } from "../../core/retry.ts";
import type { Time } from "../../core/time.ts";
import { LaneReplaced, type LogLane, RecordsGone } from "../../ports/log.ts";
import type { Address } from "./address.ts";
import { type Cluster, topicError } from "./cluster.ts";
import { brokerError, classifyError, withPurpose } from "./errors.ts";
import { LaneFeed } from "./lane-feed.ts";
import { offsetsOf } from "./offsets.ts";
import { endsTooEarly } from "./refusals.ts";
import { type FetchedPartition, requests } from "./requests.ts";
import type { TopicWatch } from "./topic-watch.ts";
import type { Use } from "./wires.ts";

const retryMaxMs = 1_000;
const partitionBytesMin = 64 * 1024;

/** Connections of a broker for fetches; see `Use`. */
const hands: readonly Use[] = ["fetch", "refetch"];

const replaced: ReadonlySet<number> = new Set([
  topicError.unknownTopic,
  topicError.unknownTopicId,
  topicError.inconsistentTopicId,
]);

/**
 * Fetches ahead for the lanes that are read, from the brokers that lead them: one request for all lanes of a broker that
 * have room. What fails is tried again until it has failed for `limit.kafkaPatienceMs`.
 */
export class Fetcher {
  readonly #address: Address;
  readonly #cluster: Cluster;
  readonly #watch: TopicWatch;
  readonly #time: Time;
  readonly #bell: Bell;
  readonly #feeds = new Set<LaneFeed>();
  readonly #busy = new Set<string>();
  readonly #tasks = new Set<Promise<void>>();
  #running: Promise<void> | undefined;
  #closed = false;
  #turn = 0;

  constructor(address: Address, cluster: Cluster, watch: TopicWatch, time: Time) {
    this.#address = address;
    this.#cluster = cluster;
    this.#watch = watch;
    this.#time = time;
    this.#bell = new Bell(time);
  }

  /** Begins to fetch a lane; it is to be removed when nobody reads it any more. */
  add(lane: LogLane, offset: bigint): LaneFeed {
    const feed = new LaneFeed(this.#address, lane, offset, this.#time, () => this.#bell.ring());
    this.#feeds.add(feed);
    this.#running ??= this.#run();
    this.#bell.ring();
    return feed;
  }

  remove(feed: LaneFeed): void {
    this.#feeds.delete(feed);
  }

  /** The connections are to be closed first, which ends the requests under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#bell.ring();
    await this.#running;
    await Promise.all(this.#tasks);
  }

  async #run(): Promise<void> {
    const deafen = this.#watch.listen(() => this.#bell.ring());
    while (!this.#closed) {
      const wakeAt = this.#fetchDue(this.#time.now());
      await this.#bell.heard(Number.isFinite(wakeAt) ? Math.max(0, wakeAt - this.#time.now()) : undefined);
    }
    deafen();
  }

  /** What may be fetched ahead for one lane. */
  get #laneBytes(): number {
    const share = Math.floor(limit.kafkaFetchBytes / Math.max(1, this.#feeds.size));
    return Math.max(partitionBytesMin, Math.min(limit.logPieceBytes, share));
  }

  /** Begins the fetches that can begin. Answers when lanes that failed are to be tried again. */
  #fetchDue(now: number): number {
    let wakeAt = Number.POSITIVE_INFINITY;
    const byLeader = new Map<number, LaneFeed[]>();
    for (const feed of this.#inTurn()) {
      if (feed.fetching || feed.failed || feed.bytes >= this.#laneBytes) continue;
      if (feed.retryAt > now) wakeAt = Math.min(wakeAt, feed.retryAt);
      else {
        const leader = this.#leaderOf(feed, now);
        if (leader !== undefined) byLeader.set(leader, [...(byLeader.get(leader) ?? []), feed]);
        else wakeAt = Math.min(wakeAt, feed.retryAt);
      }
    }
    for (const [leader, feeds] of byLeader) {
      const hand = hands.find((use) => !this.#busy.has(`${use} ${leader}`));
      if (hand !== undefined) this.#begin(leader, hand, eachLaneOnce(feeds));
    }
    return wakeAt;
  }

  /** A broker answers with a batch above the bounds only where no lane before it has records: each is first in turn. */
  #inTurn(): readonly LaneFeed[] {
    const feeds = [...this.#feeds];
    this.#turn += 1;
    const first = this.#turn % Math.max(1, feeds.length);
    return [...feeds.slice(first), ...feeds.slice(0, first)];
  }

  /** Undefined when there is none to be asked now; the feed then knows why, and when to try again. */
  #leaderOf(feed: LaneFeed, now: number): number | undefined {
    const { view } = this.#cluster;
    if (view?.id === feed.lane.incarnation) {
      const leader = view.partitions[feed.partition]?.leader;
      if (this.#cluster.broker(leader) !== undefined) return leader;
      this.#failed(feed, brokerError(topicError.leaderNotAvailable));
    } else this.#otherTopic(feed, now);
    return undefined;
  }

  #begin(leader: number, use: Use, feeds: readonly LaneFeed[]): void {
    const key = `${use} ${leader}`;
    this.#busy.add(key);
    for (const feed of feeds) feed.fetching = true;
    const task = this.#fetch(leader, use, feeds).finally(() => {
      for (const feed of feeds) feed.fetching = false;
      this.#busy.delete(key);
      this.#tasks.delete(task);
      this.#bell.ring();
    });
    this.#tasks.add(task);
  }

  async #fetch(leader: number, use: Use, feeds: readonly LaneFeed[]): Promise<void> {
    try {
      const broker = this.#cluster.broker(leader);
      if (broker === undefined) throw brokerError(topicError.leaderNotAvailable);
      const bounds = {
        waitMs: limit.kafkaFetchMs,
        bytes: limit.kafkaFetchBytes,
        partitionBytes: this.#laneBytes,
      };
      const { partitions } = await this.#cluster.wires.send(broker, use, requests.fetch, placesOf(feeds), bounds);
      await Promise.all(feeds.map((feed) => this.#take(feed, partitions)));
    } catch (error) {
      for (const feed of feeds) this.#failed(feed, error);
    }
  }

  async #take(feed: LaneFeed, partitions: readonly FetchedPartition[]): Promise<void> {
    const { partition, lane } = feed;
    const found = partitions.find((one) => one.partition === partition && one.topicId === lane.incarnation);
    try {
      if (found === undefined) throw brokerError(topicError.leaderNotAvailable);
      if (found.error === topicError.offsetOutOfRange) return await this.#outOfRange(feed);
      if (replaced.has(found.error)) return await this.#lookForOther(feed);
      if (found.error !== 0) throw brokerError(found.error);
      feed.put(found);
      feed.failures = 0;
      feed.failingSince = undefined;
      feed.beyondSince = undefined;
    } catch (error) {
      this.#failed(feed, error);
    }
  }

  /** It is tried again in a while, unless it does not pass, or has not passed for too long. */
  #failed(feed: LaneFeed, error: unknown): void {
    if (this.#closed) return;
    const now = this.#time.now();
    feed.failures += 1;
    feed.failingSince ??= now;
    const lasts = now - feed.failingSince >= limit.kafkaPatienceMs;
    if (lasts || classifyError(error) !== "wait")
      return feed.fail(withPurpose(error, `reading lane ${feed.lane.name}`));
    feed.retryAt = now + Math.min(retryMaxMs, retryPauseMs(feed.failures, Math.random()));
    this.#watch.want();
  }

  async #lookForOther(feed: LaneFeed): Promise<void> {
    await this.#cluster.look();
    const { view } = this.#cluster;
    if (view?.id === feed.lane.incarnation) this.#failed(feed, brokerError(topicError.leaderNotAvailable));
    else this.#otherTopic(feed, this.#time.now());
  }

  /** The topic has another id, or is not there: for a while that may only be what one broker has not heard yet. */
  #otherTopic(feed: LaneFeed, now: number): void {
    const { missingSince } = this.#watch;
    const isGone = missingSince !== undefined && now - missingSince >= limit.kafkaMissingMs;
    if (this.#cluster.view !== undefined || isGone) {
      feed.fail(new LaneReplaced(`${this.#address.shown}: lane ${feed.lane.name} is not there any more as it was`));
    } else this.#failed(feed, this.#watch.error ?? brokerError(topicError.unknownTopic));
  }

  async #outOfRange(feed: LaneFeed): Promise<void> {
    const { lane, partition, nextOffset } = feed;
    const view = await this.#cluster.look();
    if (view?.id !== lane.incarnation) return this.#otherTopic(feed, this.#time.now());
    const edge = async (name: "start" | "writtenEnd"): Promise<bigint> =>
      (await offsetsOf(this.#address, this.#cluster, view, [partition], name)).get(partition) ?? nextOffset;
    const start = await edge("start");
    if (nextOffset < start) return feed.fail(new RecordsGone(lane.name, nextOffset, start));
    const end = await edge("writtenEnd");
    const now = this.#time.now();
    feed.beyondSince ??= now;
    if (nextOffset > end && now - feed.beyondSince >= limit.kafkaMissingMs) {
      return feed.fail(endsTooEarly(this.#address, lane.name, nextOffset, end));
    }
    this.#failed(feed, brokerError(topicError.leaderNotAvailable));
  }
}

/** A request names a place of a lane once; a second reader of it waits for the next request. */
function eachLaneOnce(feeds: readonly LaneFeed[]): readonly LaneFeed[] {
  const keys = feeds.map(({ lane }) => `${lane.incarnation} ${lane.name}`);
  return feeds.filter((_, index) => keys.indexOf(keys[index] ?? "") === index);
}

function placesOf(feeds: readonly LaneFeed[]): Parameters<typeof requests.fetch.async>[1] {
  const byTopic = Map.groupBy(feeds, ({ lane }) => lane.incarnation);
  return [...byTopic].map(([topicId, of]) => ({
    topicId,
    places: of.map(({ partition, nextOffset }) => ({ partition, offset: nextOffset })),
  }));
}
