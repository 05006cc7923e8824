import avro from "avsc";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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
} from "../../../src/core/table.ts";
import { MillraceError } from "../../../src/core/error.ts";
import { BatchChecker } from "../../../src/engine/batch.ts";
import { Engine } from "../../../src/engine/engine.ts";
import { avroRowValues } from "../../../src/formats/avro/row-values.ts";
import { jsonMessages } from "../../../src/formats/json/messages.ts";
import { jsonRowValues } from "../../../src/formats/json/row-values.ts";
import type { EngineRow } from "../../../src/ports/engine.ts";
import type { DecodedMessages } from "../../../src/ports/messages.ts";
import { decode, framed, linesOf, LocalRegistry, recordOf } from "./schemas.ts";

const everything = table("all types", {
  id: integer(),
  "whole number": bigint().nullable(),
  ratio: double().nullable(),
  price: decimal(38, 10).nullable(),
  part: decimal(4, 4).nullable(),
  many: decimal(20, 0).nullable(),
  flag: boolean().nullable(),
  note: text().nullable(),
  day: date().nullable(),
  at: timestamp().nullable(),
  code: uuid().nullable(),
  extra: json().nullable(),
});
const columns = Object.entries(everything.columns).map(([name, column]) => ({ ...column, name }));

const decimals = (precision: number, scale: number): fc.Arbitrary<string> =>
  fc.bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n }).map((unscaled) => {
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
    const point = scale === 0 ? "" : `.${digits.slice(-scale)}`;
    return `${unscaled < 0n ? "-" : ""}${digits.slice(0, digits.length - scale)}${point}`;
  });

const span = { min: Date.parse("0001-01-01"), max: Date.parse("9999-12-31") };
const times = fc.tuple(fc.integer(span), fc.nat(999)).map(([ms, more]) => {
  const iso = `${new Date(ms).toISOString().slice(0, -1)}${String(more).padStart(3, "0")}`;
  return iso.replace(/\.?0+$/, "");
});
const plainText = fc.string({ unit: "binary" }).filter((value) => value.isWellFormed() && !value.includes("\0"));
const jsonTexts = fc.json({ stringUnit: "binary" }).filter((given) => !/\\ud[89a-f]|\\u0000/i.test(given));

const cells: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  "whole number": fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  ratio: fc.double({ noNaN: true, noDefaultInfinity: true }),
  price: decimals(38, 10),
  part: decimals(4, 4),
  many: decimals(20, 0),
  flag: fc.boolean(),
  note: plainText,
  day: fc.integer(span).map((ms) => new Date(ms).toISOString().slice(0, 10)),
  at: times,
  code: fc.uuid(),
  extra: jsonTexts,
};
/** There are several ways to write a text or number in JSON. */
const parsedJson = (given: EngineRow): object => ({
  ...given,
  extra: given["extra"] === null ? null : (JSON.parse(given["extra"] as string) as unknown),
});

const optional = Object.fromEntries(Object.entries(cells).map(([name, cell]) => [name, fc.option(cell)]));
const row = fc.record({
  id: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  ...optional,
}) as fc.Arbitrary<EngineRow>;

describe("rows that became values are read as what they were,", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await Engine.open({ memoryBytes: 200 * 2 ** 20, threads: 1 });
  });
  afterAll(() => engine.close());

  /** The rows, json as its text. */
  async function rowsOf(decoded: DecodedMessages, checker: BatchChecker): Promise<EngineRow[]> {
    const batch = await checker.check({ ...decoded, start: { row: 0 }, end: { row: decoded.read } }, 1n);
    const connection = await engine.connect();
    try {
      expect(batch.rejects.map(({ reasons }) => reasons)).toEqual([]);
      const sql = `select * exclude (_row) replace (extra::varchar as extra) from (${await batch.rows.select()}) order by _row`;
      return await connection.all(sql);
    } finally {
      connection.close();
      await batch.release();
    }
  }

  it.each(["avro", "json"])("in %s, whatever their values", { timeout: 60_000 }, async (format) => {
    const registry = new LocalRegistry();
    const avroValues = avroRowValues({ registry, topic: "orders", table: everything.table, columns });
    const values = format === "avro" ? avroValues : jsonRowValues(columns);
    const checker = await BatchChecker.open(engine, {
      contract: everything,
      steps: [],
      lineage: false,
      takes: "relation",
    });
    const read = (encoded: readonly Uint8Array[]): Promise<DecodedMessages> =>
      format === "avro"
        ? decode(encoded, { registry, contract: everything })
        : jsonMessages({ ignoreExtra: false }).decode(
            encoded.map((value, index) => ({ offset: BigInt(index), value })),
            { batchBytes: 1e6, recordBytes: 1e6, rejectBytes: 500, batchRecords: 1000 },
            new AbortController().signal,
          );
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 20 }), async (rows) => {
          const found = await rowsOf(await read(await values.encode(rows)), checker);
          expect(found.map(parsedJson)).toEqual(rows.map(parsedJson));
        }),
        { numRuns: 40 },
      );
    } finally {
      checker.close();
    }
    if (format === "avro") expect(registry.subjects).toEqual(["orders-value"]);
  });

  it("numbers within JSON to the last digit", async () => {
    const contract = table("t", { extra: json() });
    const registry = new LocalRegistry();
    const extra = '{"n":1234567890.12345678901234567890}';
    const of = [{ name: "extra", type: "json" as const }];
    const encoded = await avroRowValues({ registry, topic: "t", table: "t", columns: of }).encode([{ extra }]);
    expect(linesOf(await decode(encoded, { registry, contract }))).toEqual([`{"extra":${extra}}`]);
  });

  it("also times before the year 1, and a row larger than any before", async () => {
    const registry = new LocalRegistry();
    const contract = table("old", { day: date(), at: timestamp(), note: text() });
    const old = Object.entries(contract.columns).map(([name, column]) => ({ ...column, name }));
    const values = avroRowValues({ registry, topic: "t", table: "old", columns: old });
    const note = "x".repeat(100_000);
    const encoded = await values.encode([{ day: "0044-03-15 (BC)", at: "0044-03-15T(BC) 10:00:00.5", note }]);
    const [line] = linesOf(await decode(encoded, { registry, recordBytes: 200_000 }));
    expect(JSON.parse(line ?? "")).toEqual({ day: "-000043-03-15", at: "-000043-03-15T10:00:00.500000Z", note });
  });

  it("and times of any schema meet a column's own format", async () => {
    const registry = new LocalRegistry();
    const contract = table("visits", { id: integer(), at: timestamp("%Y-%m-%dT%H:%M:%SZ"), day: date("%d.%m.%Y") });
    const typed = recordOf(
      { name: "id", type: "int" },
      { name: "at", type: { type: "long", logicalType: "timestamp-millis" } },
      { name: "day", type: { type: "int", logicalType: "date" } },
    );
    const texts = recordOf(
      { name: "id", type: "int" },
      { name: "at", type: "string" },
      { name: "day", type: "string" },
    );
    const [first, second] = [registry.add(typed), registry.add(texts)];
    const decoded = await decode(
      [
        framed(first, typed, { id: 1, at: 1_636_253_322_000, day: 1 }),
        framed(second, texts, { id: 2, at: "2021-11-07T02:48:42Z", day: "29.02.2024" }),
        framed(first, typed, { id: 3, at: 1_636_253_322_500, day: 1 }),
      ],
      { registry, contract },
    );
    const checker = await BatchChecker.open(engine, { contract, steps: [], lineage: false, takes: "relation" });
    const batch = await checker.check({ ...decoded, start: { row: 0 }, end: { row: 3 } }, 1n);
    const rows: EngineRow[] = [];
    for await (const piece of batch.rows.objects()) rows.push(...piece);
    expect(rows).toEqual([
      { id: 1, at: "2021-11-07T02:48:42", day: "1970-01-02" },
      { id: 2, at: "2021-11-07T02:48:42", day: "2024-02-29" },
    ]);
    expect(batch.rejects.map(({ record, reasons }) => [record, reasons[0]?.value])).toEqual([
      [2, "2021-11-07T02:48:42.500"],
    ]);
    await batch.release();
    checker.close();
  });
});

describe("the schema of rows", () => {
  it("is one that avsc reads them by, with names of Avro and those of the columns beside them", async () => {
    const registry = new LocalRegistry();
    const columnsOfTwo = columns.slice(0, 2);
    const values = avroRowValues({ registry, topic: "t", table: "all types", columns: columnsOfTwo });
    const [value] = await values.encode([{ id: 7, "whole number": 8n }]);
    const schema = (await registry.schemas([1])).get(1)?.text ?? "";
    expect(JSON.parse(schema)).toEqual({
      ...{ type: "record", name: "all_types", doc: "all types" },
      fields: [
        { name: "id", type: "int" },
        { name: "whole_number", doc: "whole number", type: ["null", "long"], default: null },
      ],
    });
    expect(Buffer.from(value ?? []).readUInt32BE(1)).toBe(1);
    const read = avro.Type.forSchema(JSON.parse(schema) as avro.Schema).fromBuffer(
      Buffer.from(value ?? []).subarray(5),
    );
    expect({ ...(read as object) }).toEqual({ id: 7, whole_number: 8 });
  });

  it("is registered again only where that failed", async () => {
    const registry = new LocalRegistry();
    let isAway = true;
    const register = async (subject: string, schema: string): Promise<number> => {
      if (isAway) throw new MillraceError("SINK_UNREACHABLE", "away", { remedy: "" });
      return LocalRegistry.prototype.register.call(registry, subject, schema);
    };
    const flaky = { shown: "", close: async () => undefined, schemas: registry.schemas.bind(registry), register };
    const values = avroRowValues({ registry: flaky, topic: "t", table: "t", columns: columns.slice(0, 1) });
    await expect(values.encode([{ id: 1 }])).rejects.toMatchObject({ code: "SINK_UNREACHABLE" });
    isAway = false;
    await Promise.all([values.encode([{ id: 1 }]), values.encode([{ id: 2 }])]);
    expect(await values.encode([])).toEqual([]);
    expect(registry.subjects).toEqual(["t-value"]);
  });
});
