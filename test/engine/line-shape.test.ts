import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Contract } from "../../src/core/contract.ts";
import { jsonValue } from "../../src/core/json-value.ts";
import type { Reason } from "../../src/core/reject.ts";
import { bigint, date, decimal, double, integer, table, text, timestamp, uuid } from "../../src/core/table.ts";
import { BatchChecker } from "../../src/engine/batch.ts";
import { compileCheck } from "../../src/engine/checked.ts";
import { Engine } from "../../src/engine/engine.ts";
import { doubtfulLines, lineShape } from "../../src/engine/line-shape.ts";
import { passThroughCsv } from "../../src/engine/pass-through.ts";
import { plainJudge } from "../../src/engine/plain-judge.ts";
import type { RawBatch } from "../../src/ports/source.ts";
import { csvBatch } from "./raw-batch.ts";

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open({ memoryBytes: 200 * 2 ** 20, threads: 1 });
});

afterAll(() => engine.close());

const everything = table("everything", {
  id: integer(),
  big: bigint().nullable(),
  ratio: double(),
  price: decimal(6, 2).nullable(),
  name: text(),
  born: date().nullable(),
  at: timestamp("%Y-%m-%dT%H:%M:%SZ"),
  key: uuid(),
  level: integer().min(-20).max(150),
  count: bigint().min(0),
});

/** Values as they should be, at their bounds, and just beside them. */
const values: readonly (readonly string[])[] = [
  ["0", "-1", "999999999", "2147483647", "2147483648", "-2147483649", "007", "+5", "1.0", "1e3", " 1", "-", "", "x"],
  ["999999999999999999", "9223372036854775807", "9223372036854775808", "-0", "--1", "", "1_000"],
  ["1", "-2.5", "1.", ".5", "1e5", "inf", "nan", "123456789012345.123456789012345", "1.5.2", ""],
  ["1234.56", "12345.6", "0.1", "1.234", "1.230", "-1234", "-0.00", ".", ""],
  ["a", "Jo ö", " ", "\\.", "日本", "", "null", "'"],
  [
    "2024-02-28",
    "2024-02-29",
    "2023-02-29",
    "2021-12-31",
    "2021-11-31",
    "2021-00-10",
    "2021-13-01",
    "0000-01-01",
    "2021-1-1",
    "",
  ],
  [
    ...["2021-11-07T02:48:42Z", "2021-11-07T24:00:00Z", "2021-11-07T23:59:60Z", "2021-02-30T00:00:00Z", ""],
    ...["2021-11-07 02:48:42Z", "2021-11-07T02:48:42", "2021-11-07T02:48:42.5Z", "2020-02-29T00:00:00Z"],
  ],
  [
    "6f1f0d9e-0a4c-4b58-9d5e-2f6d1a7c3b21",
    "6F1F0D9E-0a4c-4b58-9d5e-2f6d1a7c3b21",
    "6f1f0d9e0a4c4b589d5e2f6d1a7c3b21",
    "",
  ],
  ["7", "99", "100", "150", "151", "-9", "-10", "-20", "-21", "-0", "00150", "2147483648", "1.5", "", "\ufeff7"],
  ["0", "-1", "999999999999999", "1000000000000000", "9223372036854775807", "9223372036854775808", "-0", "n/a", "é"],
];

const plain = values.map((choices) => choices[0] ?? "");

/** Mostly plain values, so that faults come one at a time as well as together. */
const line = fc
  .tuple(
    ...values.map((choices, index) =>
      fc.oneof({ weight: 4, arbitrary: fc.constant(plain[index] ?? "") }, fc.constantFrom(...choices)),
    ),
  )
  .map((fields) => fields.join(","));

/** With `startOf` the bytes are looked at first; without, all records go through the engine. */
function withStarts(raw: RawBatch, lines: readonly string[]): RawBatch {
  const starts = [0];
  for (const text of lines) starts.push((starts.at(-1) ?? 0) + Buffer.byteLength(text) + 1);
  if (raw.records.kind !== "delimited") throw new TypeError("not delimited");
  return { ...raw, records: { ...raw.records, startOf: (index) => starts[index] as number } };
}

async function outcome(
  contract: Contract,
  raw: RawBatch,
): Promise<{ csv: string; rejects: { record: number; bytes: string; reasons: readonly Reason[] }[] }> {
  const checker = await BatchChecker.open(engine, { contract, steps: [], lineage: false, takes: "csv" });
  try {
    const batch = await checker.check(raw, 1n);
    const csv = Buffer.from((await batch.rows.csv()).bytes).toString();
    const rejects = batch.rejects.map(({ record, bytes, reasons }) => {
      return { record, bytes: Buffer.from(bytes).toString(), reasons };
    });
    await batch.release();
    return { csv, rejects };
  } finally {
    checker.close();
  }
}

describe("the look at bytes", () => {
  it("finds what the engine finds, whatever the values", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 300 }), async (lines) => {
        // Enough plain ones for the look to be worth it.
        const all = [...lines, ...Array.from({ length: lines.length * 4 }, () => plain.join(","))];
        const raw = csvBatch(everything, all);
        expect(await outcome(everything, withStarts(raw, all))).toEqual(await outcome(everything, raw));
      }),
      { numRuns: 25 },
    );
  });

  it.each(values.flatMap((choices, column) => choices.map((value) => ({ column, value }))))(
    "accepts field $column as '$value' only if the engine does",
    async ({ column, value }) => {
      const fields = plain.with(column, value).join(",");
      const lines = [fields, ...Array.from({ length: 9 }, () => plain.join(","))];
      const raw = csvBatch(everything, lines);
      expect(await outcome(everything, withStarts(raw, lines))).toEqual(await outcome(everything, raw));
    },
  );

  it("tells plain faults without the engine", () => {
    const judge = plainJudge(compileCheck(everything), ",");
    const faults: readonly (readonly [column: number, value: string, codes: readonly string[] | undefined])[] = [
      [0, "", ["missing"]],
      [0, "n/a", ["type"]],
      [1, "", []],
      [6, "2021-02-30T00:00:00Z", ["type"]],
      [6, "2024-02-29T00:00:00Z", []],
      [8, "-21", ["min"]],
      [8, "151", ["max"]],
      [0, "\ufeff1", undefined],
      [5, "0000-01-01", undefined],
    ];
    const codes = faults.map(([column, value]) => {
      const reasons = judge.reasonsOf(Buffer.from(plain.with(column, value).join(",")));
      return [column, value, reasons?.map(({ code }) => code)];
    });
    expect(codes).toEqual(faults);
    expect(judge.reasonsOf(Buffer.from("1,2"))).toBeUndefined();
  });

  it.each(["\n", "\r\n"])("carries the lineage that the engine gives, lines ended by %j", async (end) => {
    const people = table("people", { id: integer().key(), name: text() });
    const lines = Array.from({ length: 40 }, (_, index) => `${index % 7 === 3 ? "x" : index},n${index}`);
    const bytes = Buffer.from(lines.map((one) => `${one}${end}`).join(""));
    const malformed = [0, 1, 20].map((record) => {
      return { record, line: record, offset: 0n, bytes: Buffer.from("?"), truncated: false, reasons: [] };
    });
    const numbers = Array.from({ length: 43 }, (_, record) => record).filter((one) => ![0, 1, 20].includes(one));
    const raw = csvBatch(people, lines);
    if (raw.records.kind !== "delimited") throw new TypeError("not delimited");
    const shifted: RawBatch = {
      ...raw,
      ...{
        records: { ...raw.records, text: bytes },
        read: 43,
        malformed,
        recordOf: (index) => numbers[index] as number,
      },
    };
    const checker = await BatchChecker.open(engine, { contract: people, steps: [], lineage: true, takes: "csv" });
    try {
      for (const batch of [596046447n, 1n]) {
        const checked = await checker.check(shifted, batch);
        const csv = Buffer.from((await checked.rows.csv()).bytes).toString();
        const rows: string[] = [];
        for await (const piece of checked.rows.objects()) {
          rows.push(
            ...piece.map(
              ({ id, name, _millrace }) =>
                `${[id ?? null, name ?? null, _millrace ?? null].map(jsonValue).join(",")}\n`,
            ),
          );
        }
        expect(csv).toBe(rows.join(""));
        expect(checked.rows.count).toBe(34);
        await checked.release();
      }
    } finally {
      checker.close();
    }
  });

  it("carries lineage that comes to have a digit more within a batch", () => {
    const raw = csvBatch(table("people", { id: integer(), name: text() }), ["1,a", "2,b", "3,c"]);
    const recordOf = (index: number): number => 779_263 + index;
    const { bytes } = passThroughCsv({ ...raw, read: 2 ** 20, recordOf }, [1], 596n);
    expect(Buffer.from(bytes).toString()).toBe("1,a,9999999999\n3,c,10000000001\n");
  });

  it("takes plain spellings for good without the engine", () => {
    const shape = lineShape(Object.values(everything.columns), ",");
    const lines = Array.from({ length: 50 }, (_, index) => (index === 31 ? "x" : "") + plain.join(","));
    const bytes = Buffer.from(`${lines.join("\r\n")}\r\n`);
    expect(shape && doubtfulLines(shape, bytes, 50)).toEqual([31]);
    expect(shape && doubtfulLines(shape, bytes, 49)).toBeUndefined();
    expect(shape && doubtfulLines(shape, bytes.subarray(0, -1), 50)).toEqual([31, 49]);
  });

  it.each([
    ["a rule on a value", { id: integer().min(3) }, ","],
    ["a pattern", { name: text().pattern("[a-z]+") }, ","],
    ["a date in a form of its own", { day: date("%d.%m.%Y") }, ","],
    ["a delimiter that a value may hold", { id: integer() }, "-"],
  ])("leaves all to the engine for %s", (_, columns, delimiter) => {
    expect(lineShape(Object.values(table("t", columns).columns), delimiter)).toBeUndefined();
  });
});
