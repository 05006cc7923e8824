import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Column, Contract } from "../../src/core/contract.ts";
import { contractFromJson } from "../../src/core/contract-json.ts";
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
import { BatchChecker, type CheckedBatch } from "../../src/engine/batch.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineRow } from "../../src/ports/engine.ts";
import type { RawBatch } from "../../src/ports/source.ts";
import { csvBatch, jsonBatch } from "./raw-batch.ts";

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open({ memoryBytes: 200 * 2 ** 20, threads: 2 });
});

afterAll(() => engine.close());

async function checked<Result>(
  contract: Contract,
  raw: RawBatch,
  look: (batch: CheckedBatch) => Promise<Result>,
  plan: { lineage?: boolean; takes?: "csv" | "relation" } = {},
): Promise<Result> {
  const checker = await BatchChecker.open(engine, {
    contract,
    steps: [],
    lineage: plan.lineage ?? false,
    takes: plan.takes ?? "relation",
  });
  try {
    const batch = await checker.check(raw, 7n);
    try {
      return await look(batch);
    } finally {
      await batch.release();
    }
  } finally {
    checker.close();
  }
}

async function objects(batch: CheckedBatch): Promise<EngineRow[]> {
  const rows: EngineRow[] = [];
  for await (const piece of batch.rows.objects()) rows.push(...piece);
  return rows;
}

/** Good values come back, bad ones give their reason: one column, one value a line (the second column is a dummy). */
const values: readonly { column: Column; good: readonly [string, unknown][]; bad: readonly string[] }[] = [
  {
    column: { type: "integer" },
    good: [
      ["0", 0],
      ["-12", -12],
      ["007", 7],
      ["2147483647", 2147483647],
      ["-2147483648", -2147483648],
    ],
    bad: ["2147483648", "1.5", "1e3", "0x10", "1_000", " 1", "1 ", "+1", "12x", "٣"],
  },
  {
    column: { type: "bigint" },
    good: [
      ["9223372036854775807", 9223372036854775807n],
      ["-9223372036854775808", -9223372036854775808n],
    ],
    bad: ["9223372036854775808", "1.0", "abc"],
  },
  {
    column: { type: "double" },
    good: [
      ["1.5", 1.5],
      ["-1e-7", -1e-7],
      [".5", 0.5],
      ["5.", 5],
      ["+3", 3],
    ],
    bad: ["inf", "nan", "1e999", "1,5", "1.5.2", "--1"],
  },
  {
    column: { type: "decimal", precision: 6, scale: 2 },
    good: [
      ["1234.56", "1234.56"],
      ["-0.10", "-0.10"],
      ["7", "7.00"],
      ["1.5000", "1.50"],
    ],
    bad: ["1.234", "12345.00", "1e2", "x"],
  },
  {
    column: { type: "boolean" },
    good: [
      ["true", true],
      ["FALSE", false],
      ["t", true],
      ["no", false],
      ["1", true],
    ],
    bad: ["2", "wahr", "truee"],
  },
  {
    column: { type: "date" },
    good: [
      ["2024-02-29", "2024-02-29"],
      ["0001-01-01", "0001-01-01"],
    ],
    bad: ["2021-02-29", "2021-2-9", "2021-02-28T00:00:00", "10000-01-01"],
  },
  {
    column: { type: "date", format: "%d.%m.%Y" },
    good: [["07.11.2021", "2021-11-07"]],
    bad: ["7.11.2021", "30.02.2021", "2021-11-07"],
  },
  {
    column: { type: "timestamp" },
    good: [
      ["2021-11-07T02:48:42Z", "2021-11-07T02:48:42"],
      ["2021-11-07 02:48:42.123456", "2021-11-07T02:48:42.123456"],
      ["2021-11-07T02:48:42+02:00", "2021-11-07T00:48:42"],
      ["2021-11-07", "2021-11-07T00:00:00"],
    ],
    bad: ["2021-11-07T24:00:00Z", "2021-02-30T00:00:00Z", "2021-11-07T02:48:42.1234567", "2021-11-07T02", "tomorrow"],
  },
  {
    column: { type: "timestamp", format: "%Y-%m-%dT%H:%M:%SZ" },
    good: [["2021-11-07T02:48:42Z", "2021-11-07T02:48:42"]],
    bad: [
      "2021-11-07T02:48:42",
      "2021-11-07T24:00:00Z",
      "2021-02-30T00:00:00Z",
      "2021-11-7T02:48:42Z",
      "2021-11-07 02:48:42Z",
      "2021-11-07T02:48:60Z",
    ],
  },
  {
    column: { type: "timestamp", format: "%Y-%m-%d:%H:%M:%S" },
    good: [["2022-02-22:19:35:32", "2022-02-22T19:35:32"]],
    bad: ["2022-02-22T19:35:32", "2022-02-22:19:35"],
  },
  {
    column: { type: "uuid" },
    good: [["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]],
    bad: ["a0eebc999c0b4ef8bb6d6bb9bd380a11", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "x"],
  },
];

describe("types", () => {
  for (const { column, good, bad } of values) {
    const title = column.format === undefined ? column.type : `${column.type} ${column.format}`;
    it(`${title} takes what is exactly one and refuses the rest`, async () => {
      const contract: Contract = { table: "t", columns: { v: column, n: { type: "integer" } }, checks: [] };
      const lines = [...good.map(([value]) => value), ...bad].map(
        (value, n) => `${value.includes(",") ? `"${value}"` : value},${n}`,
      );
      await checked(contract, csvBatch(contract, lines), async (batch) => {
        expect((await objects(batch)).map((row) => row["v"])).toEqual(good.map(([, value]) => value));
        expect(
          batch.rejects.map((reject) => reject.reasons.map((reason) => [reason.code, reason.column, reason.value])),
        ).toEqual(bad.map((value) => [["type", "v", value]]));
      });
    });
  }
});

const hired = table(
  "hired",
  {
    id: integer().key().min(1).max(1000),
    name: text().minLength(2).maxLength(5).pattern("[A-Z].*"),
    grade: text().nullable().oneOf("a", "b"),
    born: date().min("1900-01-01"),
  },
  { checks: { "grade b is for the young": "grade <> 'b' or born > date '2000-01-01'" } },
);

describe("rules", () => {
  it("gives every reason of a record, and good records none", async () => {
    const lines = ["1,Anna,a,1950-01-01", "0,annabel,c,1899-12-31", ",X,,", "5,Bob,b,1999-01-01", "6,Zoé,,2001-05-05"];
    await checked(hired, csvBatch(hired, lines), async (batch) => {
      expect((await objects(batch)).map((row) => row["id"])).toEqual([1, 6]);
      const codes = batch.rejects.map((reject) =>
        reject.reasons.map((reason) => `${reason.column ?? ""}:${reason.code}`),
      );
      expect(codes).toEqual([
        ["id:min", "name:maxLength", "name:pattern", "grade:oneOf", "born:min"],
        ["id:missing", "name:minLength", "born:missing"],
        [":check"],
      ]);
      expect(batch.rejects[0]).toMatchObject({
        record: 1,
        line: 2,
        bytes: Uint8Array.from(Buffer.from(lines[1] ?? "")),
      });
      expect(batch.rejects[0]?.reasons[0]?.message).toBe('id: "0" is below 1');
    });
  });

  it("finds reasons beyond the 62 rules of one mask", async () => {
    const names = Array.from({ length: 80 }, (_, index) => `c${index}`);
    const contract: Contract = {
      table: "wide",
      columns: Object.fromEntries(names.map((name) => [name, { type: "integer" }])),
      checks: [],
    };
    const good = names.map(() => "1").join(",");
    const bad = names.map((_, index) => (index === 0 || index === 79 ? "x" : "1")).join(",");
    await checked(contract, csvBatch(contract, [good, bad]), async (batch) => {
      expect(batch.rows.count).toBe(1);
      expect(batch.rejects.map((reject) => reject.reasons.map((reason) => reason.column))).toEqual([["c0", "c79"]]);
    });
  });

  it("keeps empty text and missing apart", async () => {
    const contract = table("t", { a: text().nullable(), b: text() });
    await checked(contract, csvBatch(contract, ['"",x', ',"x"', "NA,Null"]), async (batch) => {
      expect(await objects(batch)).toEqual([
        { a: "", b: "x" },
        { a: null, b: "x" },
        { a: "NA", b: "Null" },
      ]);
    });
  });
});

describe("json records", () => {
  const contract = table("j", {
    id: bigint(),
    "a/b~c": text().nullable(),
    tags: json().nullable(),
    ok: boolean().nullable(),
    d: decimal(5, 2).nullable(),
    x: double().nullable(),
    u: uuid().nullable(),
    at: timestamp().nullable(),
  });

  it("reads fields by name, nested values as JSON, and refuses what is not an object of the contract's fields", async () => {
    const lines = [
      '{"id": 1, "a/b~c": "é\\"", "tags": {"a": [1, null]}, "ok": true, "d": 1.5, "x": 1e3}',
      '{"tags": null, "id": "9223372036854775807"}',
      '{"id": 2',
      "[1]",
      '{"id": 3, "surprise": 1}',
      '{"id": null}',
      "null",
    ];
    await checked(contract, jsonBatch(lines), async (batch) => {
      expect(await objects(batch)).toMatchObject([
        { id: 1n, "a/b~c": 'é"', tags: { a: [1, null] }, ok: true, d: "1.50", x: 1000 },
        { id: 9223372036854775807n, tags: null },
      ]);
      expect(batch.rejects.map((reject) => [reject.record, reject.reasons[0]?.message])).toEqual([
        [2, "the record is not valid JSON"],
        [3, "the record is not a JSON object but array"],
        [4, "the record has fields that the contract lacks: surprise"],
        [5, "id is missing"],
        [6, "the record is not a JSON object but null"],
      ]);
    });
  });
});

describe("rows", () => {
  it("passes bytes through to a CSV sink when they mean the same there, and rewrites them when not", async () => {
    const same = table("t", { id: integer(), name: text() });
    const other = table("t", { id: integer(), day: date("%d.%m.%Y") });
    await checked(
      same,
      csvBatch(same, ["1,a", "x,b", '3,"c,""d"""']),
      async (batch) => {
        expect(Buffer.from((await batch.rows.csv()).bytes).toString()).toBe('1,a\n3,"c,""d"""\n');
        expect(batch.rows.recordOf(1)).toBe(2);
        expect(await objects(batch)).toEqual([
          { id: 1, name: "a" },
          { id: 3, name: 'c,"d"' },
        ]);
      },
      { takes: "csv" },
    );
    await checked(
      other,
      csvBatch(other, ["1,07.11.2021"]),
      async (batch) => {
        expect(Buffer.from((await batch.rows.csv()).bytes).toString()).toBe("1,2021-11-07\n");
      },
      { takes: "csv" },
    );
  });

  it.each([
    ["with line ends inside quotes", ['1,"a\nb"', "2,c", "3,d"], [0, 8, 12, 16]],
    ["without quotes", ["1,ab", "2,c", "3,d"], [0, 5, 9, 13]],
  ])("knows where rows of CSV start %s", async (_, records, starts) => {
    const contract = table("t", { id: integer(), name: text() });
    await checked(
      contract,
      csvBatch(contract, records),
      async (batch) => {
        const csv = await batch.rows.csv();
        expect([0, 1, 2, 3].map((row) => csv.offsetOf(row))).toEqual(starts);
      },
      { takes: "csv" },
    );
  });

  it("numbers lineage by batch and record, over rejects and malformed records", async () => {
    const contract = table("t", { id: integer(), name: text() });
    const raw = csvBatch(contract, ["1,a", "x,b", "3,c"]);
    const malformed = [1, 3].map((record) => ({
      record,
      line: 9,
      offset: 0n,
      bytes: new Uint8Array(),
      truncated: false,
      reasons: [],
    }));
    const recordOf = (index: number): number => [0, 2, 4][index] ?? -1;
    await checked(
      contract,
      { ...raw, read: 5, malformed, recordOf },
      async (batch) => {
        const base = 7n << 24n;
        expect((await objects(batch)).map((row) => row["_millrace"])).toEqual([base, base + 4n]);
        expect(batch.rejects.map((reject) => reject.record)).toEqual([1, 2, 3]);
      },
      { lineage: true },
    );
  });

  it("quotes a lone text column, so that no value ends a COPY", async () => {
    const contract = contractFromJson({ table: "t", columns: { v: { type: "text", nullable: true } } }, "test");
    await checked(
      contract,
      csvBatch(contract, ["\\.", "x"]),
      async (batch) => {
        expect(Buffer.from((await batch.rows.csv()).bytes).toString()).toBe('"\\."\n"x"\n');
      },
      { takes: "csv" },
    );
  });
});
