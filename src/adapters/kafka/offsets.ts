import type { Address } from "./address.ts";
import { type Cluster, topicError, type TopicView } from "./cluster.ts";
import { brokerError } from "./errors.ts";
import { batchesOf, isControl, isTransactional, type KeptBatch, keptRecords } from "./record-batch.ts";
import { type Aborted, type FetchedPartition, requests } from "./requests.ts";

/** Which offset of a partition: its first; behind its last that may be read; or the same with open transactions. */
export type Edge = "start" | "end" | "writtenEnd";

const edges = {
  start: { timestamp: -2n, isolation: 0 },
  end: { timestamp: -1n, isolation: 1 },
  writtenEnd: { timestamp: -1n, isolation: 0 },
} as const;

/** Of the answer to a fetch that looks for the last record; one batch comes however large it is. */
const tailBytes = 64 * 1024;
/** Batches without records, and transactions that were aborted, that are looked behind; each takes a request. */
const tailSteps = 32;

/** Partitions by the broker that leads them. Throws when one has no leader now. */
function byLeader(view: TopicView, partitions: readonly number[]): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>();
  for (const partition of partitions) {
    const leader = view.partitions[partition]?.leader;
    if (leader === undefined) throw brokerError(topicError.leaderNotAvailable);
    found.set(leader, [...(found.get(leader) ?? []), partition]);
  }
  return found;
}

/** The edge of each of the partitions, from their leaders (ListOffsets). Throws the broker's errors. */
export async function offsetsOf(
  { topic }: Address,
  cluster: Cluster,
  view: TopicView,
  partitions: readonly number[],
  edge: Edge,
): Promise<ReadonlyMap<number, bigint>> {
  const { timestamp, isolation } = edges[edge];
  const [noReplica, noEpoch] = [-1, -1];
  const answers = await Promise.all(
    [...byLeader(view, partitions)].map(([leader, led]) => {
      const wanted = led.map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: noEpoch, timestamp }));
      const broker = cluster.broker(leader);
      if (broker === undefined) throw brokerError(topicError.leaderNotAvailable);
      const topics = [{ name: topic, partitions: wanted }];
      return cluster.wires.send(broker, "ask", requests.listOffsets, noReplica, isolation, topics);
    }),
  );
  const found = answers.flatMap(({ topics }) => topics.flatMap(({ partitions: each }) => each));
  return new Map(found.map(({ partitionIndex, offset }) => [partitionIndex, offset]));
}

/**
 * Where the records of a partition end, below `end`. Its last offsets may be no records: marks of transactions, what aborted
 * ones wrote, what was compacted away; whoever reads up to the end would wait for them. `start` when there is no record.
 */
export async function recordEnd(
  cluster: Cluster,
  view: TopicView,
  partition: number,
  range: { readonly start: bigint; readonly end: bigint },
): Promise<bigint> {
  let { end } = range;
  for (let step = 0; step < tailSteps && end > range.start; step += 1) {
    const answer = await fetchAt(cluster, view, partition, end - 1n);
    // All of it was deleted meanwhile.
    if (answer.error === topicError.offsetOutOfRange) return end;
    if (answer.error !== 0) throw brokerError(answer.error);
    const batch = batchesOf(answer.records).findLast(({ baseOffset }) => baseOffset < end);
    if (batch === undefined) return end;
    const last = await lastRecord(batch, answer.aborted, end);
    if (last !== undefined) return last + 1n;
    end = batch.baseOffset;
  }
  return end > range.start ? end : range.start;
}

async function fetchAt(
  cluster: Cluster,
  view: TopicView,
  partition: number,
  offset: bigint,
): Promise<FetchedPartition> {
  const broker = cluster.broker(view.partitions[partition]?.leader);
  if (broker === undefined) throw brokerError(topicError.leaderNotAvailable);
  const wanted = [{ topicId: view.id, places: [{ partition, offset }] }];
  const bounds = { waitMs: 0, bytes: tailBytes, partitionBytes: tailBytes };
  const { partitions } = await cluster.wires.send(broker, "ask", requests.fetch, wanted, bounds);
  const [found] = partitions;
  if (found === undefined) throw brokerError(topicError.leaderNotAvailable);
  return found;
}

/** The offset of the batch's last record below `end`. */
async function lastRecord(batch: KeptBatch, aborted: readonly Aborted[], end: bigint): Promise<bigint | undefined> {
  const isAborted = ({ producerId, firstOffset }: Aborted): boolean =>
    producerId === batch.producerId && firstOffset <= batch.lastOffset;
  if (isControl(batch) || (isTransactional(batch) && aborted.some(isAborted))) return undefined;
  const records = await keptRecords(batch, batch.baseOffset);
  return records.findLast(({ offset }) => offset < end)?.offset;
}
