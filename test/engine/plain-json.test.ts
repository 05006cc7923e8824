import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Contract } from "../../src/core/contract.ts";
import {
  bigint,
  boolean,
  date,
  decimal,
  double,
  integer,
  json,
  table,
  text,
  timestamp,
  uuid,
} from "../../src/core/table.ts";
import { BatchChecker } from "../../src/engine/batch.ts";
import { Engine } from "../../src/engine/engine.ts";
import { PlainJson } from "../../src/engine/plain-json.ts";
import { plainPattern } from "../../src/engine/plain-pattern.ts";
import type { RawBatch } from "../../src/ports/source.ts";
import { jsonBatch } from "./raw-batch.ts";

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open({ memoryBytes: 200 * 2 ** 20, threads: 1 });
});

afterAll(() => engine.close());

/** A contract, and for each column texts of JSON: as they should be, at the bounds of what is, and hostile ones. */
const columns = {
  ratio: [double(), "1790000000.0001221", "5", "-2.5", "0", "-0", "-0.0", "1.50", "1e5", "1E-7", "1e400", "-0.5e-99"],
  level: [double().min(-1.5).max(10).nullable(), "10", "10.000000000000001", "-1.5", "-1.6", "1e1", "11", '"3"'],
  id: [integer(), "7", "-1", "999999999", "2147483647", "2147483648", "-2147483649", "-0", "007", "1.0", "1e3", '"8"'],
  count: [bigint().min(0).max(5_000_000_000), "0", "5000000000", "5000000001", "-1", "9223372036854775808"],
  big: [bigint().nullable(), "999999999999999999", "9223372036854775807", "9223372036854775808", "-1", "1.5"],
  price: [decimal(9, 6).nullable(), "1.25", "0.000001", "0.001", "0.0001", "-0.0", "123.1234567", "1234.5", "1.230000"],
  sum: [decimal(30, 3).nullable(), "1", "123456789012.345", "12345678901234567.125", "1e3"],
  name: [
    ...[text(), '"a"', '""', '"Jo ö"', '"日本"', '"a,b"', '"a\\"b"', '"\\\\."', '"\\."', '"line\\nend\\r"', '" a "'],
    ...['"\\u00f6\\u65e5\\u0022"', '"\\u0000"', '"\\ud83d\\ude00"', '"\\ud83d"', '"😀"', '"\\/\\b\\f\\t"', '"\u0001"'],
    ...['"\u007f"', '"\\x"', '"a\tb"', '"a', "5", "true", '{"a":1}', "[1]", '"null"', '"\\u12"', '"\ufeff"'],
  ],
  short: [
    text().minLength(1).maxLength(3),
    '"abc"',
    '""',
    '"日本ö"',
    '"abcd"',
    '"\\n\\u00f6e"',
    '"e\u0301a"',
    '"😀😀😀😀"',
  ],
  vin: [text().pattern("[A-Z0-9]{4}"), '"AB12"', '"ab12"', '"AB1"', '"AB123"', '"ÄB12"', '"AB1\\u0032"', '"AB12\\n"'],
  kind: [text().oneOf("a", "b c", "ö").nullable(), '"a"', '"b c"', '"ö"', '"c"', '""'],
  open: [boolean(), "true", "false", "True", '"yes"', "1", "truefalse"],
  day: [
    date(),
    '"2024-02-28"',
    '"2024-02-29"',
    '"2023-02-29"',
    '"2021-11-31"',
    '"0000-01-01"',
    '"2021-1-1"',
    '"infinity"',
  ],
  at: [
    ...[timestamp().nullable(), '"2021-11-07T02:48:42Z"', '"2021-11-07 02:48:42"', '"2021-11-07T02:48:42.000Z"'],
    ...[
      '"2021-11-07T02:48:42.120"',
      '"2021-11-07T02:48:42.1234567"',
      '"2021-11-07T02:48:42."',
      '"2021-11-07T24:00:00"',
    ],
    ...['"2021-11-07T02:48:60Z"', '"2021-11-07T02:48:42+01:00"', '"2021-11-07T02:48"', '"2021-11-07"', "1636253322"],
  ],
  key: [uuid(), '"6f1f0d9e-0a4c-4b58-9d5e-2f6d1a7c3b21"', '"6F1F0D9E-0a4c-4b58-9d5e-2f6d1a7c3b21"', '"6f1f0d9e"'],
} as const;

const names = Object.keys(columns) as (keyof typeof columns)[];
const everything = table(
  "everything",
  Object.fromEntries(names.map((name) => [name, columns[name][0]])) as Parameters<typeof table>[1],
);
const texts = names.map((name) => columns[name].slice(1) as string[]);
const plainOf = (index: number): string => texts[index]?.[0] ?? "";
const recordOf = (values: readonly string[]): string =>
  `{${values.map((value, index) => `"${names[index]}":${value}`).join(",")}}`;
const plain = recordOf(names.map((_, index) => plainOf(index)));

/** A field: mostly as it should be, at times another value, null, or not there. */
const field = (index: number): fc.Arbitrary<string> =>
  fc
    .oneof(
      { weight: 12, arbitrary: fc.constant(plainOf(index)) },
      { weight: 2, arbitrary: fc.constantFrom(...(texts[index] ?? []), "null", "nul", "nan", "") },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 4 }).map((one) => JSON.stringify(one)) },
      { weight: 1, arbitrary: fc.double().map((value) => JSON.stringify(value)) },
    )
    .map((value) => `"${names[index]}":${value}`);

const blank = fc.constantFrom("", "", "", " ", "\t", "  ");
const extra = fc.constantFrom(
  '"other":"x"',
  '"other":{"a":1}',
  '"other":null',
  '"\\u0069d":7',
  '"id":1',
  '"ID":1',
  '"":1',
);

/** An object of fields in any order, some left out, some twice or unknown to the contract; or no object at all. */
const record = fc.oneof(
  {
    weight: 20,
    arbitrary: fc
      .tuple(
        fc.tuple(...names.map((_, index) => fc.option(field(index), { freq: 40 }))),
        fc.option(extra, { freq: 1 }).map((one) => (one === null || one.length > 8 ? one : null)),
        fc.nat(names.length),
        fc.tuple(blank, blank, blank),
      )
      .map(([fields, other, turn, [before, between, behind]]) => {
        const there = [...fields.slice(turn), other, ...fields.slice(0, turn)].filter((one) => one !== null);
        return `${before}{${between}${there.join(`${between},${between}`)}${between}}${behind}`;
      }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "{}",
      "[]",
      "null",
      "1",
      '"a"',
      "{",
      '{"id"',
      '{"id":',
      "{,}",
      `${plain}${plain}`,
      `${plain},`,
      "x",
    ),
  },
);

interface Outcome {
  readonly rows: readonly (string | null)[][];
  readonly rejects: unknown;
}

/** What becomes of the records: with `takes` csv from their bytes, with relation by the engine. */
async function outcome(
  contract: Contract,
  raw: RawBatch,
  takes: "csv" | "relation",
  lineage: boolean,
): Promise<Outcome> {
  const checker = await BatchChecker.open(engine, { contract, steps: [], lineage, takes });
  try {
    const batch = await checker.check(raw, 77n);
    const rowsCsv = await batch.rows.csv();
    const csv = Buffer.from(rowsCsv.bytes);
    const rows = Array.from({ length: batch.rows.count }, (_, row) =>
      fieldsOf(csv.toString("utf8", rowsCsv.offsetOf(row), rowsCsv.offsetOf(row + 1)), contract),
    );
    expect(rowsCsv.offsetOf(batch.rows.count)).toBe(csv.length);
    const refused = batch.rows.count > 0 ? batch.refuse(0, { code: "refused", message: "no" }) : undefined;
    const rejects = [...batch.rejects, refused];
    await batch.release();
    return { rows, rejects };
  } finally {
    checker.close();
  }
}

/** The fields of a row of CSV. Numbers are compared by what they are: both spellings are of one value. */
function fieldsOf(row: string, contract: Contract): (string | null)[] {
  const fields = [...row.replace(/\n$/, "").matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,"\n]*))/gs)];
  const types = Object.values(contract.columns).map(({ type }) => type);
  return fields.map(([, quoted, bare = ""], index) => {
    const value = quoted === undefined ? (bare === "" ? null : bare) : quoted.replaceAll('""', '"');
    if (value === null || (types[index] !== "double" && types[index] !== "decimal")) return value;
    if (types[index] === "double") return String(Number(value));
    return value.includes(".") ? value.replace(/0+$/, "").replace(/[.]$/, "").replace(/^[.]/, "0.") : value;
  });
}

async function expectTheSame(lines: readonly string[], ignoreExtra = false, lineage = false): Promise<void> {
  const raw = jsonBatch(lines);
  const batch = { ...raw, records: { ...raw.records, ignoreExtra } } as RawBatch;
  const [fromBytes, byEngine] = [
    await outcome(everything, batch, "csv", lineage),
    await outcome(everything, batch, "relation", lineage),
  ];
  expect(fromBytes).toEqual(byEngine);
}

/** Enough records as they should be for the bytes to be worth reading. */
const amid = (lines: readonly string[]): string[] => lines.flatMap((line) => [plain, plain, plain, plain, line]);

describe("JSON read from its bytes", () => {
  it("becomes what the engine makes of it, whatever the records", async () => {
    const batch = fc.array(record, { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(batch, fc.boolean(), fc.boolean(), (lines, ignoreExtra, lineage) =>
        expectTheSame(amid(lines), ignoreExtra, lineage),
      ),
      { numRuns: 12, endOnFailure: true },
    );
  });

  it("becomes what the engine makes of it, value by value", async () => {
    const lines = texts.flatMap((choices, column) =>
      [...choices, "null", "nullx", '""', "1"].map((value) =>
        recordOf(names.map((_, index) => (index === column ? value : plainOf(index)))),
      ),
    );
    await expectTheSame(amid(lines));
    // What is taken from the bytes is never what the engine refuses: with nothing beside it no engine looks at all.
    const reader = PlainJson.of(everything, false);
    const sure = lines.filter((line) => (reader?.read(Buffer.from(`${line}\n`), 0) ?? -1) >= 0);
    expect(sure.length).toBeGreaterThan(60);
    await expectTheSame(sure);
  });

  it("numbers its rows as the engine does, among malformed records and repeats", async () => {
    const people = table("people", { id: integer().key(), name: text() });
    const lines = Array.from({ length: 40 }, (_, id) => `{"name":"n${id}","id":${id % 9 === 3 ? '"x"' : id}}`);
    const malformed = [0, 20].map((one) => {
      return { record: one, line: one, offset: 0n, bytes: Buffer.from("?"), truncated: false, reasons: [] };
    });
    const numbers = Array.from({ length: 43 }, (_, one) => one).filter((one) => ![0, 1, 20].includes(one));
    const raw: RawBatch = {
      ...jsonBatch(lines),
      ...{ read: 43, malformed, repeats: [1], recordOf: (index) => numbers[index] as number },
    };
    expect(await outcome(people, raw, "csv", true)).toEqual(await outcome(people, raw, "relation", true));
  });

  it.each([
    ["a check over the row", { ...table("t", { a: integer(), b: text() }), checks: [{ name: "c", sql: "a > 1" }] }],
    ["JSON within", table("t", { a: integer(), b: json() })],
    ["a date in a form of its own", table("t", { a: integer(), b: date("%d.%m.%Y") })],
    ["a pattern that needs steps back", table("t", { a: integer(), b: text().pattern("a*ab") })],
    ["a name that JSON could write in two ways", table("t", { a: integer(), ö: text() })],
  ])("is left to the engine for %s", (_, contract: Contract) => {
    expect(PlainJson.of(contract, false)).toBeUndefined();
  });
});

describe("a plain pattern", () => {
  it.each(["[A-Z0-9]{17}", "ab[0-9]+", "[a-c]?", "x{2,3}", "[a-z_-]*", "A{0}[b]{1,}"])(
    "matches what %s matches in every dialect",
    (pattern) => {
      const match = plainPattern(pattern);
      const whole = new RegExp(`^(?:${pattern})$`);
      fc.assert(
        fc.property(fc.oneof(fc.stringMatching(whole), fc.string({ maxLength: 5 })), (value) => {
          const bytes = Buffer.from(value);
          expect(match?.(bytes, 0, bytes.length)).toBe(whole.test(value));
        }),
      );
    },
  );

  it.each(["a|b", "(a)", "a+b", "\\d", ".", "[^a]", "a{3,2}", "a+?", "", "[b-a]", "ö", "^a$"])(
    "is not %s",
    (pattern) => {
      expect(plainPattern(pattern)).toBeUndefined();
    },
  );
});
