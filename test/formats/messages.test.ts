import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limit } from "../../src/core/limit.ts";
import { messageBatch } from "../../src/formats/json/messages.ts";
import type { DecodedMessages } from "../../src/ports/messages.ts";

function batchOf(values: readonly (string | Uint8Array)[], first = 100n): DecodedMessages {
  const messages = values.map((value, index) => ({ offset: first + BigInt(index), value: Buffer.from(value) }));
  const bounds = {
    batchBytes: limit.batchBytes,
    batchRecords: limit.batchRecords,
    recordBytes: 1_000,
    rejectBytes: 500,
  };
  return messageBatch(messages, false, bounds);
}

/** Record numbers of the malformed and of the others, together each once. */
function numbersOf(batch: DecodedMessages): number[] {
  const good = Array.from({ length: batch.count }, (_, index) => batch.recordOf(index));
  return [...good, ...batch.malformed.map(({ record }) => record)].toSorted((a, b) => a - b);
}

describe("messages as a batch", () => {
  it("are one record each, with their offsets and bytes", () => {
    const batch = batchOf(['{"a":1}', '{"a":2}']);
    expect([batch.read, batch.count, batch.malformed.length]).toEqual([2, 2, 0]);
    expect(batch.at(1)).toEqual({ line: undefined, offset: 101n, bytes: Buffer.from('{"a":2}') });
  });

  it("that span lines are one record all the same", () => {
    const batch = batchOf(['{"a":1}', '{\n  "a": 2\n}', '{"a":3}']);
    expect([batch.read, batch.count, batch.malformed.length]).toEqual([3, 3, 0]);
    expect(batch.at(1).offset).toBe(101n);
  });

  it.each([
    ["is empty", ""],
    ["is blank", " \n "],
    ["holds two objects", '{"a":1}\n{"a":2}'],
    ["is no UTF-8", Buffer.from([0x7b, 0xff, 0x7d])],
    ["holds a NUL", '{"a":"\u0000"}'],
    ["is too long", `{"a":"${"x".repeat(2_000)}"}`],
  ])("one that %s is a reject of its own, with its offset", (_, value) => {
    const batch = batchOf(['{"a":1}', value, '{"a":3}']);
    expect(numbersOf(batch)).toEqual([0, 1, 2]);
    expect(batch.malformed.map(({ record, offset, line }) => [record, offset, line])).toEqual([[1, 101n, undefined]]);
    expect(Array.from({ length: batch.count }, (_each, index) => batch.at(index).offset)).toEqual([100n, 102n]);
  });

  it("are all accounted for, whatever they hold", () => {
    const value = fc.oneof(
      fc.constantFrom("{}", '{"a":1}', "", "\n", "[1]", "{", '{"a":\r\n1}', "null", "\u0000"),
      fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
      fc.json(),
    );
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), (values) => {
        const batch = batchOf(values);
        expect(batch.read).toBe(values.length);
        expect(numbersOf(batch)).toEqual(values.map((_, index) => index));
      }),
    );
  });
});
