import { crc32c } from "@platformatic/kafka";
import type { KeptRecord, LogRecord } from "../../ports/log.ts";
import { codecOf, type Compression, compressions } from "./compression.ts";
import { bytesRoom, RecordBytes, varintBytesMax, writeBytes, writeVarint } from "./record-bytes.ts";

/**
 * Record batches of Kafka's format 2: https://kafka.apache.org/documentation/#recordbatch. Made here and not by the client,
 * as what is tried again must be the same bytes, and as one batch that cannot be read must not spoil a whole answer.
 *
 * `baseOffset int64, length int32, leaderEpoch int32, magic int8, crc uint32, attributes int16, lastOffsetDelta int32,
 * baseTimestamp int64, maxTimestamp int64, producerId int64, producerEpoch int16, baseSequence int32, count int32`, then the
 * records, compressed together. The length counts from behind itself, the CRC-32C covers what is behind it.
 */
export const headerBytes = 61;
const at = {
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
} as const;
const frameBytes = at.leaderEpoch;

const attribute = { compression: 0b111, appendTime: 1 << 3, transactional: 1 << 4, control: 1 << 5 } as const;

/** The header that carries a record's id. */
const idHeader = Buffer.from("millrace-id");

/** Who writes a batch and its place in the order of what that one writes to the partition: by it brokers know repeats. */
export interface Stamp {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

/** What a record takes in a batch at most. */
export function recordBytesMax({ key, value, id }: LogRecord): number {
  // A character takes three bytes at most, or two of them four.
  const idBytes = id === undefined ? 0 : bytesRoom(idHeader) + varintBytesMax + 3 * id.length;
  return bytesRoom(key) + bytesRoom(value) + idBytes + 5 * varintBytesMax;
}

/** A batch that records are added to. Holds their bytes, not the records. */
export class BatchBytes {
  #bytes = Buffer.allocUnsafe(512);
  #end = headerBytes;
  #baseTimeMs = 0;
  #maxTimeMs = 0;
  count = 0;

  /** Bytes of the batch, uncompressed. */
  get size(): number {
    return this.#end;
  }

  add(record: LogRecord): void {
    const { key, value, id } = record;
    const timeMs = Math.trunc(record.timeMs);
    const idBytes = id === undefined ? undefined : Buffer.from(id);
    if (this.count === 0) this.#baseTimeMs = this.#maxTimeMs = timeMs;
    this.#maxTimeMs = Math.max(this.#maxTimeMs, timeMs);
    this.#reserve(recordBytesMax(record) + varintBytesMax);
    // The length stands first and is known last: the record is written behind the longest length, and moved.
    const start = this.#end + varintBytesMax;
    this.#bytes[start] = 0; // attributes, of which there are none yet
    let end = writeVarint(this.#bytes, start + 1, timeMs - this.#baseTimeMs);
    end = writeVarint(this.#bytes, end, this.count);
    end = writeBytes(this.#bytes, end, key);
    end = writeBytes(this.#bytes, end, value);
    end = writeVarint(this.#bytes, end, idBytes === undefined ? 0 : 1);
    if (idBytes !== undefined) end = writeBytes(this.#bytes, writeBytes(this.#bytes, end, idHeader), idBytes);
    const target = writeVarint(this.#bytes, this.#end, end - start);
    this.#bytes.copyWithin(target, start, end);
    this.#end = target + (end - start);
    this.count += 1;
  }

  /** The batch as it is sent, but for its stamp. */
  async seal(compression: Compression): Promise<Buffer> {
    const records = await codecOf(compression).compress(this.#bytes.subarray(headerBytes, this.#end));
    const sealed =
      compression === "none"
        ? this.#bytes.subarray(0, this.#end)
        : Buffer.concat([Buffer.alloc(headerBytes), records], headerBytes + records.length);
    sealed.writeBigInt64BE(0n, 0);
    sealed.writeInt32BE(sealed.length - frameBytes, at.length);
    sealed.writeInt32BE(-1, at.leaderEpoch);
    sealed.writeInt8(2, at.magic);
    sealed.writeInt16BE(compressions.indexOf(compression), at.attributes);
    sealed.writeInt32BE(this.count - 1, at.lastOffsetDelta);
    sealed.writeBigInt64BE(BigInt(this.#baseTimeMs), at.baseTimestamp);
    sealed.writeBigInt64BE(BigInt(this.#maxTimeMs), at.maxTimestamp);
    sealed.writeInt32BE(this.count, at.count);
    return sealed;
  }

  #reserve(room: number): void {
    const wanted = this.#end + room;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(wanted, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}

/** Puts the stamp on a sealed batch, and the checksum over both. */
export function stampBatch(sealed: Buffer, { producerId, producerEpoch, baseSequence }: Stamp): void {
  sealed.writeBigInt64BE(producerId, at.producerId);
  sealed.writeInt16BE(producerEpoch, at.producerEpoch);
  sealed.writeInt32BE(baseSequence, at.baseSequence);
  sealed.writeUInt32BE(crc32c(sealed.subarray(at.attributes)), at.crc);
}

/** The records that were added to a sealed batch, which may have no stamp yet. */
export async function recordsOf(sealed: Buffer): Promise<readonly LogRecord[]> {
  const batch = batchOf(sealed);
  return recordsIn(batch, await expanded(batch), 0n);
}

/** A batch as a broker hands it out, not yet decompressed. */
export interface KeptBatch {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly attributes: number;
  readonly producerId: bigint;
  /** The whole of it. */
  readonly bytes: Buffer;
}

/** The batches in what a broker sent, which may cut the last one short: that one is left out. */
export function batchesOf(bytes: Buffer): KeptBatch[] {
  const batches: KeptBatch[] = [];
  for (let start = 0; start + headerBytes <= bytes.length; ) {
    const end = start + frameBytes + bytes.readInt32BE(start + at.length);
    if (end > bytes.length || end < start + headerBytes) break;
    batches.push(batchOf(bytes.subarray(start, end)));
    start = end;
  }
  return batches;
}

function batchOf(bytes: Buffer): KeptBatch {
  const magic = bytes.readInt8(at.magic);
  if (magic !== 2) throw new RangeError(`record batches of format ${magic} are from before Kafka 0.11`);
  const baseOffset = bytes.readBigInt64BE(0);
  return {
    baseOffset,
    lastOffset: baseOffset + BigInt(bytes.readInt32BE(at.lastOffsetDelta)),
    attributes: bytes.readInt16BE(at.attributes),
    producerId: bytes.readBigInt64BE(at.producerId),
    bytes,
  };
}

/** Whether the batch is a mark of the end of a transaction, which is no record. */
export function isControl({ attributes }: KeptBatch): boolean {
  return (attributes & attribute.control) !== 0;
}

export function isTransactional({ attributes }: KeptBatch): boolean {
  return (attributes & attribute.transactional) !== 0;
}

/** Of a control batch: whether it says that the transaction was aborted (its key is `version int16, type int16`). */
export async function isAbort(batch: KeptBatch): Promise<boolean> {
  const records = new RecordBytes(await wholeAndExpanded(batch));
  const key = readRecord(records, 0).key;
  return key !== undefined && key.length >= 4 && key.readInt16BE(2) === 0;
}

/** Its records from offset `from` on; their bytes are those of the batch. Throws RangeError for what is not whole. */
export async function keptRecords(batch: KeptBatch, from: bigint): Promise<KeptRecord[]> {
  return recordsIn(batch, await wholeAndExpanded(batch), from);
}

function recordsIn(batch: KeptBatch, recordBytes: Buffer, from: bigint): KeptRecord[] {
  const records = new RecordBytes(recordBytes);
  const { bytes, baseOffset, attributes } = batch;
  const count = bytes.readInt32BE(at.count);
  const baseTimeMs = Number(bytes.readBigInt64BE(at.baseTimestamp));
  const sameTimeMs = attributes & attribute.appendTime ? Number(bytes.readBigInt64BE(at.maxTimestamp)) : undefined;
  const first = from > baseOffset ? Number(from - baseOffset) : 0;
  const kept: KeptRecord[] = [];
  for (let index = 0; index < count; index += 1) {
    const { offsetDelta, timeMs, key, value, id } = readRecord(records, baseTimeMs);
    if (offsetDelta < first) continue;
    const record = { offset: baseOffset + BigInt(offsetDelta), value: value ?? noBytes, timeMs: sameTimeMs ?? timeMs };
    // Spelt out: spreading what may be absent would take longer than to read the record.
    if (key === undefined) kept.push(id === undefined ? record : { ...record, id });
    else kept.push(id === undefined ? { ...record, key } : { ...record, key, id });
  }
  return kept;
}

/** The value of a tombstone. */
const noBytes = Buffer.alloc(0);

async function wholeAndExpanded(batch: KeptBatch): Promise<Buffer> {
  if (crc32c(batch.bytes.subarray(at.attributes)) !== batch.bytes.readUInt32BE(at.crc)) {
    throw new RangeError("the checksum of a record batch is wrong");
  }
  return expanded(batch);
}

async function expanded({ bytes, attributes }: KeptBatch): Promise<Buffer> {
  const compression = compressions[attributes & attribute.compression];
  if (compression === undefined) throw new RangeError("a record batch has an unknown compression");
  return codecOf(compression).expand(bytes.subarray(headerBytes));
}

interface ReadRecord {
  readonly offsetDelta: number;
  readonly timeMs: number;
  readonly key: Buffer | undefined;
  readonly value: Buffer | undefined;
  readonly id: string | undefined;
}

function readRecord(records: RecordBytes, baseTimeMs: number): ReadRecord {
  const end = records.varint() + records.at;
  records.at += 1; // attributes
  const timeMs = baseTimeMs + records.varint();
  const offsetDelta = records.varint();
  const key = records.sized();
  const value = records.sized();
  let id: string | undefined;
  for (let headers = records.varint(); headers > 0; headers -= 1) {
    const name = records.sized();
    const content = records.sized();
    if (content !== undefined && name?.equals(idHeader) === true) id = content.toString();
  }
  records.at = end;
  return { offsetDelta, timeMs, key, value, id };
}
