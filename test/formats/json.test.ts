import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { frameLines } from "../../src/formats/json/lines.ts";
import { frameValues, jsonStart } from "../../src/formats/json/values.ts";
import type { FilePosition } from "../../src/formats/position.ts";
import type { RawBatch } from "../../src/ports/source.ts";
import { bounds, readBatches, recordsOf, startPosition } from "./reading.ts";

const valuesOf = (batches: readonly RawBatch[]): unknown[] =>
  batches.flatMap(({ records }) => {
    if (records.kind !== "json") throw new Error("not JSON");
    const lines = Buffer.from(records.text).toString("utf8").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as unknown);
  });

const readJson = (bytes: Buffer, batchBytes: number, pieces: readonly number[] = [], from?: FilePosition) => {
  const { inArray, skip, lines } = jsonStart(bytes);
  const start = from ?? { ...startPosition, byte: skip, line: 1 + lines };
  return readBatches(bytes, { frame: frameValues(inArray, false, bounds), bounds: { batchBytes }, pieces, start });
};

const record = fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 });

describe("JSON values", () => {
  it("come back whatever the layout, pieces and batches, and from the end of every batch", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 12 }),
        fc.constantFrom("array", "pretty array", "lines", "pretty", "close"),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 80 }),
        async (values, form, pieces, batchBytes) => {
          const wanted: unknown = JSON.parse(JSON.stringify(values));
          const bytes = Buffer.from(writeAs(form, values));
          const batches = await readJson(bytes, batchBytes, pieces);
          expect(valuesOf(batches)).toEqual(wanted);
          for (const [index, batch] of batches.entries()) {
            if (index === batches.length - 1) break;
            const rest = await readJson(bytes, batchBytes + 3, pieces, batch.end as FilePosition);
            expect(recordsOf(rest)).toEqual(recordsOf(batches.slice(index + 1)));
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  const writeAs = (form: string, values: readonly unknown[]): string => {
    if (form === "array") return JSON.stringify(values);
    if (form === "pretty array") return `\n ${JSON.stringify(values, null, 2)}\n`;
    if (form === "close") return values.map((value) => JSON.stringify(value)).join("");
    return values.map((value) => `${JSON.stringify(value, null, form === "pretty" ? 2 : 0)}\n`).join("");
  };

  it("that end too early are a reject that says so", async () => {
    const batches = await readJson(Buffer.from('[{"a":1},\n{"a":2'), 1000);
    expect(valuesOf(batches)).toEqual([{ a: 1 }]);
    const rejects = batches.flatMap(({ malformed }) => malformed);
    expect(rejects[0]).toMatchObject({
      record: 1,
      line: 2,
      reasons: [{ code: "malformed", message: /ends too early/ }],
    });
    expect(Buffer.from(rejects[0]?.bytes ?? []).toString()).toBe('{"a":2');
    const [closed] = await readJson(Buffer.from('[{"a":1}'), 1000);
    expect(closed?.malformed).toMatchObject([{ record: 1, reasons: [{ code: "malformed" }] }]);
  });

  it("with a string that is not closed cost one record", async () => {
    const text = '[\n  {\n    "a": "x\n  },\n  {\n    "a": 2\n  }\n]\n';
    const batches = await readJson(Buffer.from(text), 1000);
    expect(valuesOf(batches)).toEqual([{ a: 2 }]);
    expect(recordsOf(batches).map(({ line, codes }) => [line, codes])).toEqual([
      [2, ["malformed"]],
      [5, []],
    ]);
  });

  it("too long for the bound are streamed past", async () => {
    const text = `[{"a":"${"x".repeat(5000)}","b":[1,\n2]},{"a":2}]`;
    const some = { ...bounds, recordBytes: 100, batchBytes: 50 };
    const { skip } = jsonStart(Buffer.from(text));
    const start = { ...startPosition, byte: skip };
    const batches = await readBatches(Buffer.from(text), {
      frame: frameValues(true, false, some),
      bounds: some,
      pieces: [33],
      start,
    });
    expect(valuesOf(batches)).toEqual([{ a: 2 }]);
    expect(recordsOf(batches).map(({ line, codes }) => [line, codes])).toEqual([
      [1, ["too_long"]],
      [2, []],
    ]);
  });
});

describe("NDJSON", () => {
  it("is a record a line; blank lines are none, faulty ones are rejects", async () => {
    const bytes = Buffer.from(`{"a":1}\r\n\n{"a":"\xe9"}\n{"a":"\0"}\n{"a":"${"x".repeat(200)}"}\n{"a":2}`, "latin1");
    const some = { ...bounds, recordBytes: 100, batchBytes: 30 };
    const batches = await readBatches(bytes, { frame: frameLines(false, some), bounds: some, pieces: [7] });
    expect(valuesOf(batches)).toEqual([{ a: 1 }, { a: 2 }]);
    expect(recordsOf(batches).map(({ line, codes }) => [line, codes])).toEqual([
      [1, []],
      [3, ["encoding"]],
      [4, ["malformed"]],
      [5, ["too_long"]],
      [6, []],
    ]);
    expect(batches.at(-1)?.end).toMatchObject({ row: 5, byte: bytes.length, done: true, open: true });
  });
});
