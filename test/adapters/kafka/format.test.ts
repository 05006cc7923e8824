import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compressions } from "../../../src/adapters/kafka/compression.ts";
import { murmur2, partitionOf } from "../../../src/adapters/kafka/partition.ts";
import { BatchBytes, batchesOf, keptRecords, recordsOf, stampBatch } from "../../../src/adapters/kafka/record-batch.ts";
import { RecordBytes, varintBytesMax, writeVarint } from "../../../src/adapters/kafka/record-bytes.ts";
import { type GroupMember, shareOut } from "../../../src/adapters/kafka/share-out.ts";
import type { LogRecord } from "../../../src/ports/log.ts";

const stamp = { producerId: 4_000_000_000_000n, producerEpoch: 3, baseSequence: 2 ** 31 - 1 };

describe("what Kafka's clients have in common", () => {
  test("the hash of keys is that of Kafka's own clients", () => {
    // From org.apache.kafka.common.utils.UtilsTest.testMurmur2.
    const known: Record<string, number> = {
      "21": -973932308,
      foobar: -790332482,
      "a-little-bit-long-string": -985981536,
      "a-little-bit-longer-string": -1486304829,
      lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
      abc: 479470107,
    };
    for (const [key, hash] of Object.entries(known)) expect(murmur2(Buffer.from(key))).toBe(hash);
    expect(partitionOf(Buffer.from("21"), 7)).toBe((-973932308 & 0x7fffffff) % 7);
  });

  test("numbers of the record format", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 52), max: 2 ** 52 }), (value) => {
        const bytes = Buffer.alloc(varintBytesMax);
        const end = writeVarint(bytes, 0, value);
        const read = new RecordBytes(bytes.subarray(0, end));
        expect(read.varint()).toBe(value);
        expect(read.at).toBe(end);
      }),
    );
  });

  test("a batch holds the records that were put in, whatever they are", async () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    const record: fc.Arbitrary<LogRecord> = fc.record(
      { key: bytes, value: bytes, id: fc.string({ unit: "grapheme" }), timeMs: fc.integer({ min: 0, max: 4e15 }) },
      { requiredKeys: ["value", "timeMs"] },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1 }),
        fc.constantFrom(...compressions),
        async (records, compression) => {
          const batch = new BatchBytes();
          for (const one of records) batch.add(one);
          const sealed = await batch.seal(compression);
          stampBatch(sealed, stamp);
          const kept = await recordsOf(sealed);
          expect(kept).toEqual(
            records.map(({ key, value, id, timeMs }, index) => ({
              offset: BigInt(index),
              value: Buffer.from(value),
              timeMs,
              ...(key === undefined ? {} : { key: Buffer.from(key) }),
              ...(id === undefined ? {} : { id }),
            })),
          );
          const [found] = batchesOf(sealed);
          expect(found).toMatchObject({ producerId: stamp.producerId, lastOffset: BigInt(records.length - 1) });
          if (found !== undefined) expect(await keptRecords(found, 1n)).toHaveLength(records.length - 1);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a batch that is cut short is left out, and one that was changed is refused", async () => {
    const batch = new BatchBytes();
    batch.add({ value: Buffer.from("whole"), timeMs: 5 });
    const sealed = await batch.seal("none");
    stampBatch(sealed, stamp);
    expect(batchesOf(Buffer.concat([sealed, sealed.subarray(0, -1)]))).toHaveLength(1);
    sealed.writeUInt8(sealed.readUInt8(sealed.length - 3) ^ 1, sealed.length - 3);
    const [changed] = batchesOf(sealed);
    if (changed === undefined) throw new Error("the batch is not seen");
    await expect(keptRecords(changed, 0n)).rejects.toThrow("checksum");
  });
});

describe("sharing partitions out", () => {
  const topic = "t";
  const member = (id: string, owned: readonly number[] = [], generation = 1): GroupMember => ({
    id,
    topics: [topic],
    owned: new Map([[topic, owned]]),
    generation,
  });
  const shared = (members: readonly GroupMember[], count: number): Map<string, readonly number[]> =>
    new Map([...shareOut(members, new Map([[topic, count]]))].map(([id, share]) => [id, share.get(topic) ?? []]));

  test("each partition has one reader, shares are equal, and nothing moves without need", () => {
    const ownership = fc.array(fc.array(fc.nat({ max: 30 }), { maxLength: 12 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(ownership, fc.nat({ max: 24 }), (owned, count) => {
        const members = owned.map((own, index) => member(`m${index}`, [...new Set(own)], index));
        const shares = shared(members, count);
        const all = [...shares.values()].flat();
        expect(all.toSorted((one, other) => one - other)).toEqual(Array.from({ length: count }, (_, index) => index));
        const sizes = [...shares.values()].map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        // Shared out again among the same members, everything stays.
        const again = shared(
          members.map(({ id }) => member(id, shares.get(id))),
          count,
        );
        expect(again).toEqual(shares);
      }),
    );
  });

  test("of two that say they own a partition, the later one keeps it", () => {
    const shares = shared([member("old", [0, 1], 3), member("new", [0, 1], 4), member("x", [2, 3], 4)], 6);
    expect(shares.get("new")).toEqual([0, 1]);
    expect(shares.get("x")).toEqual([2, 3]);
    expect(shares.get("old")).toEqual([4, 5]);
  });

  test("members that read other topics get nothing of this one", () => {
    const other = { ...member("other"), topics: ["u"] };
    const shares = shareOut(
      [member("one"), other],
      new Map([
        [topic, 2],
        ["u", 1],
      ]),
    );
    expect(shares.get("one")).toEqual(new Map([[topic, [0, 1]]]));
    expect(shares.get("other")).toEqual(new Map([["u", [0]]]));
  });
});
