import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recordsOf, RowDamaged, RowWriter } from "../../../src/adapters/log/row-bytes.ts";
import type { LogRecord } from "../../../src/ports/log.ts";

function rowOf(records: readonly LogRecord[]): Uint8Array {
  const row = new RowWriter();
  for (const one of records) row.add(one);
  expect(row.records).toBe(records.length);
  return row.finish();
}

const bytes = fc.uint8Array({ maxLength: 300 });
const record: fc.Arbitrary<LogRecord> = fc.record(
  {
    key: bytes,
    value: bytes,
    // Halves of surrogate pairs too: an id is any text.
    id: fc.oneof(fc.string({ unit: "binary" }), fc.string(), fc.constantFrom("\ud83d", "a\udc00b", "")),
    timeMs: fc.oneof(fc.integer(), fc.double({ noNaN: true })),
  },
  { requiredKeys: ["value", "timeMs"] },
);

describe("the bytes of a row", () => {
  it("are read as what was written, from any record on", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 40 }), fc.bigInt(0n, 2n ** 52n), fc.nat(45), (records, base, skip) => {
        const kept = recordsOf(rowOf(records), records.length, base, base + BigInt(skip));
        const wanted = records.map((one, index) => ({ ...one, offset: base + BigInt(index) })).slice(skip);
        expect(kept).toStrictEqual(wanted);
      }),
    );
  });

  it("hold a large value, beside small ones", () => {
    const value = new Uint8Array(3_000_000).fill(7);
    const records = [
      { value: Uint8Array.of(1), timeMs: 1 },
      { value, timeMs: 2 },
      { value: Uint8Array.of(3), timeMs: 3 },
    ];
    const kept = recordsOf(rowOf(records), 3, 0n, 0n);
    expect(kept.map((one) => one.value.length)).toEqual([1, 3_000_000, 1]);
    expect(Buffer.from(kept[1]?.value ?? []).equals(value)).toBe(true);
  });

  it("are known when one bit of them is another one", () => {
    const records = Array.from({ length: 5 }, (_, index) => ({ value: Buffer.from(`value ${index}`), timeMs: index }));
    const row = rowOf(records);
    for (let bit = 0; bit < row.length * 8; bit += 1) {
      const damaged = Uint8Array.from(row);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => recordsOf(damaged, 5, 0n, 0n)).toThrow(RowDamaged);
    }
    for (let length = 0; length < row.length; length += 1) {
      expect(() => recordsOf(row.subarray(0, length), 5, 0n, 0n)).toThrow(RowDamaged);
    }
  });
});
