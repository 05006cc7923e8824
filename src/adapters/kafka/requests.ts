import {
  apiVersionsV3,
  createAPI,
  createTopicsV7,
  describeConfigsV4,
  fetchV13,
  findCoordinatorV4,
  heartbeatV4,
  initProducerIdV4,
  joinGroupV7,
  leaveGroupV4,
  listOffsetsV7,
  metadataV12,
  offsetCommitV8,
  produceV9,
  type Reader,
  ResponseError,
  syncGroupV5,
  Writer,
} from "@platformatic/kafka";

/**
 * The requests that are sent, each in one version: those that Kafka 3.1 was the first to know all of, for the ids of
 * topics, and that Kafka 4 has kept (https://kafka.apache.org/protocol, KIP-516, KIP-896). Coded by the client but for
 * records, whose bytes stay together here.
 */
export const requests = {
  apiVersions: apiVersionsV3.api,
  createTopics: createTopicsV7.api,
  describeConfigs: describeConfigsV4.api,
  findCoordinator: findCoordinatorV4.api,
  heartbeat: heartbeatV4.api,
  initProducerId: initProducerIdV4.api,
  joinGroup: joinGroupV7.api,
  leaveGroup: leaveGroupV4.api,
  listOffsets: listOffsetsV7.api,
  metadata: metadataV12.api,
  offsetCommit: offsetCommitV8.api,
  syncGroup: syncGroupV5.api,
  produce: createAPI<ProduceRequest, produceV9.ProduceResponse>(0, 9, produceRequest, produceV9.parseResponse),
  fetch: createAPI<FetchRequest, FetchAnswer>(1, 13, fetchRequest, fetchAnswer),
} as const;

/** Topic, records by partition, and how long the broker may wait for the other copies, in ms. */
export type ProduceRequest = [topic: string, records: ReadonlyMap<number, Buffer>, timeoutMs: number];

function produceRequest(...[topic, records, timeoutMs]: ProduceRequest): Writer {
  const noTransaction = null;
  const allCopies = -1;
  return Writer.create()
    .appendString(noTransaction)
    .appendInt16(allCopies)
    .appendInt32(timeoutMs)
    .appendArray([topic], (writer, name) => {
      writer.appendString(name).appendArray([...records], (each, [partition, bytes]) => {
        each
          .appendInt32(partition)
          .appendUnsignedVarInt(bytes.length + 1)
          .append(bytes);
      });
    })
    .appendTaggedFields();
}

export interface FetchPlace {
  readonly partition: number;
  readonly offset: bigint;
}

export interface FetchWanted {
  readonly topicId: string;
  readonly places: readonly FetchPlace[];
}

export interface FetchBounds {
  /** Until there is anything. */
  readonly waitMs: number;
  /** Of the whole answer, and of a partition in it; one batch is answered however large it is. */
  readonly bytes: number;
  readonly partitionBytes: number;
}

export type FetchRequest = [wanted: readonly FetchWanted[], bounds: FetchBounds];

/** Records of transactions that are not ended are not asked for. Sessions of fetches (KIP-227) are not used. */
function fetchRequest(...[wanted, bounds]: FetchRequest): Writer {
  const [anything, committed, noSession, noEpoch] = [1, 1, 0, -1];
  const topics = wanted.map(({ topicId, places }) => ({
    topicId,
    partitions: places.map(({ partition, offset }) => ({
      partition,
      currentLeaderEpoch: noEpoch,
      fetchOffset: offset,
      lastFetchedEpoch: noEpoch,
      partitionMaxBytes: bounds.partitionBytes,
    })),
  }));
  const { waitMs, bytes } = bounds;
  return fetchV13.createRequest(waitMs, anything, bytes, committed, noSession, noEpoch, topics, [], "");
}

/** A transaction that was aborted: what its producer wrote from this offset on is no record, up to the mark of its end. */
export interface Aborted {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

export interface FetchedPartition {
  readonly topicId: string;
  readonly partition: number;
  /** The broker's number of an error; 0 for none. */
  readonly error: number;
  readonly aborted: readonly Aborted[];
  /** Record batches, one behind the other. */
  readonly records: Buffer;
}

export interface FetchAnswer {
  /** Of the request as a whole. */
  readonly error: number;
  readonly partitions: readonly FetchedPartition[];
}

/**
 * `throttle_time_ms int32, error_code int16, session_id int32, [topic_id uuid, [partition_index int32, error_code int16,
 * high_watermark int64, last_stable_offset int64, log_start_offset int64, [producer_id int64, first_offset int64],
 * preferred_read_replica int32, records compact]]`, arrays compact, tagged fields behind each struct.
 */
function fetchAnswer(_correlation: number, api: number, version: number, reader: Reader): FetchAnswer {
  reader.readInt32();
  const error = reader.readInt16();
  reader.readInt32();
  const topics = reader.readArray((each) => {
    const topicId = each.readUUID();
    return each.readArray((one) => fetchedPartition(topicId, one));
  });
  if (error !== 0) throw new ResponseError(api, version, { "": [error, null] }, undefined);
  return { error, partitions: topics.flat() };
}

function fetchedPartition(topicId: string, reader: Reader): FetchedPartition {
  const partition = reader.readInt32();
  const error = reader.readInt16();
  reader.skip(3 * 8); // high watermark, last stable offset, log start offset
  const aborted = reader.readNullableArray((one) => ({ producerId: one.readInt64(), firstOffset: one.readInt64() }));
  reader.readInt32(); // preferred read replica
  // A copy: a part of the whole answer would keep all of it in memory for as long as one lane is read.
  const records = Buffer.from(reader.readBytes());
  return { topicId, partition, error, aborted: aborted ?? [], records };
}
