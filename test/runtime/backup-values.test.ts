import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import avro from "avsc";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { integer, table, text } from "../../src/core/table.ts";
import { Engine } from "../../src/engine/engine.ts";
import { ParquetRows } from "../../src/engine/parquet-rows.ts";
import { lineOf } from "../../src/engine/row-lines.ts";
import { RowSpool, UnfitValue } from "../../src/engine/row-spool.ts";
import { avroRows } from "../../src/formats/avro/reader.ts";
import { avroSchema } from "../../src/formats/avro/schema.ts";
import { AvroWriter } from "../../src/formats/avro/writer.ts";
import type { SinkColumn } from "../../src/ports/rows.ts";
import { backupColumns } from "../../src/runtime/backup-manifest.ts";
import { awkward, everything } from "./backup-scene.ts";

type Texts = readonly (string | null)[];

let engine: Engine;
let folder: string;
beforeAll(async () => {
  engine = await Engine.open({ memoryBytes: 192 * 2 ** 20, threads: 1 });
});
afterAll(() => engine.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-values-[*]-"));
});
afterEach(() => rm(folder, { recursive: true }));

const columns = backupColumns(everything, true);
let files = 0;

interface Written {
  readonly parquet: string;
  readonly avro: string;
  readonly rows: number;
  readonly digest: string;
  readonly plain: readonly Texts[];
}

/** Both files, of lines in pieces, as a backup makes them. */
async function write(pieces: readonly (readonly Texts[])[], of: readonly SinkColumn[] = columns): Promise<Written> {
  files += 1;
  const inner = join(folder, `spool-${files}`);
  await mkdir(inner);
  const [parquet, avroPath] = [join(inner, "rows.parquet"), join(inner, "rows.avro")];
  const spool = await RowSpool.open({ engine, columns: of, folder: inner, form: "database" });
  const writer = await AvroWriter.open(avroPath, "every thing", of);
  const plain: Texts[] = [];
  try {
    for (const rows of pieces) {
      await spool.add(rows.map(lineOf));
      for await (const some of spool.plainRows()) {
        plain.push(...some);
        await writer.append(some);
      }
    }
    const spooled = await spool.finish(parquet);
    expect(await writer.finish()).toBe(spooled.rows);
    return { parquet, avro: avroPath, plain, ...spooled };
  } finally {
    await writer.dispose();
    await spool.dispose();
  }
}

async function readAvro(path: string, of: readonly SinkColumn[] = columns): Promise<Texts[]> {
  const rows: Texts[] = [];
  for await (const block of avroRows(path, "every thing", of)) rows.push(...block);
  return rows;
}

/** The digest of what is in the Avro file, by way of the engine, as a restore finds it out. */
async function digestOfAvro(path: string, of: readonly SinkColumn[] = columns): Promise<string> {
  files += 1;
  const inner = join(folder, `back-${files}`);
  await mkdir(inner);
  const spool = await RowSpool.open({ engine, columns: of, folder: inner, form: "plain" });
  try {
    const rows = await readAvro(path, of);
    if (rows.length > 0) await spool.add(rows.map(lineOf));
    return (await spool.finish(join(inner, "rows.parquet"))).digest;
  } finally {
    await spool.dispose();
  }
}

async function surveyOf(path: string, of: readonly SinkColumn[] = columns, batchBytes = 1_000_000) {
  const rows = await ParquetRows.open(engine, path, of);
  try {
    expect(await rows.misfit()).toBe(undefined);
    return await rows.survey({ key: ["id"], batchBytes });
  } finally {
    rows.close();
  }
}

/** As docs/backups.md describes it, without the engine. */
function digestOf(plain: readonly Texts[]): string {
  const sums = [0n, 0n];
  for (const row of plain) {
    const rowText = row.map((value) => (value === null ? "-" : `${Buffer.byteLength(value)}:${value}`)).join("");
    const hash = createHash("sha256").update(rowText).digest();
    for (const index of [0, 1]) {
      sums[index] = BigInt.asUintN(64, (sums[index] ?? 0n) + hash.readBigUInt64BE(index * 8));
    }
  }
  return sums.map((sum) => sum.toString(16).padStart(16, "0")).join("");
}

const micros = (iso: string): string => {
  const [whole = "", fraction = ""] = iso.split(".");
  const seconds = BigInt(Date.parse(`${whole.replace(" ", "T")}Z`)) / 1000n;
  return String(seconds * 1_000_000n + BigInt(fraction.padEnd(6, "0")));
};

function bitsOf(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return String(view.getBigInt64(0));
}

/** A value of each column: as a database shows it, and its plain form, made without the engine. */
type Pair = readonly [shown: string, plain: string];
const same = (value: string): Pair => [value, value];

const decimals = (precision: number, scale: number): fc.Arbitrary<Pair> =>
  fc.bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n }).map((unscaled) => {
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
    const point = scale === 0 ? "" : `.${digits.slice(-scale)}`;
    return same(`${unscaled < 0n ? "-" : ""}${digits.slice(0, digits.length - scale)}${point}`);
  });

const days = fc
  .integer({ min: Date.parse("0001-01-01") / 86_400_000, max: Date.parse("9999-12-31") / 86_400_000 })
  .map((day): Pair => [new Date(day * 86_400_000).toISOString().slice(0, 10), String(day)]);

const times = fc
  .tuple(fc.integer({ min: Date.parse("0001-01-01"), max: Date.parse("9999-12-31") }), fc.integer({ min: 0, max: 999 }))
  .map(([ms, more]): Pair => {
    const shown = `${new Date(ms).toISOString().replace("T", " ").slice(0, -1)}${String(more).padStart(3, "0")}`;
    return [shown, micros(shown)];
  });

const jsonTexts = fc.json({ stringUnit: "binary" }).filter((given) => !/\\ud[89a-f]/i.test(given));

const cells: Readonly<Record<keyof typeof everything.columns, fc.Arbitrary<Pair>>> = {
  id: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((value) => same(String(value))),
  whole: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => same(String(value))),
  ratio: fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map((value) => [Object.is(value, -0) ? "-0" : String(value), bitsOf(value)]),
  price: decimals(38, 10),
  part: decimals(4, 4),
  many: decimals(20, 0),
  flag: fc.boolean().map((value) => same(String(value))),
  note: fc
    .string({ unit: "binary" })
    .filter((value) => value.isWellFormed())
    .map(same),
  day: days,
  at: times,
  code: fc.uuid().map(same),
  extra: jsonTexts.map(same),
};

const lineage = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map((value) => same(String(value)));

/** Only the key is never null. */
const row = fc
  .tuple(...Object.values(cells).map((cell, index) => (index === 0 ? cell : fc.option(cell))), fc.option(lineage))
  .map((pairs) => pairs as readonly (Pair | null)[]);

describe("values of all types", () => {
  it("are the same in both files, in plain form, and by the digest", { timeout: 120_000 }, async () => {
    const pieces = fc.array(fc.array(row, { minLength: 1, maxLength: 20 }), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(pieces, async (given) => {
        const written = await write(given.map((rows) => rows.map((pairs) => pairs.map((pair) => pair?.[0] ?? null))));
        const plain = given.flat().map((pairs) => pairs.map((pair) => pair?.[1] ?? null));
        expect(written.plain).toEqual(plain);
        expect(await readAvro(written.avro)).toEqual(plain);
        const digest = digestOf(plain);
        const survey = await surveyOf(written.parquet);
        expect([written.digest, survey.digest, await digestOfAvro(written.avro)]).toEqual([digest, digest, digest]);
        expect([written.rows, survey.rows]).toEqual([plain.length, plain.length]);
      }),
      { numRuns: 40 },
    );
  });

  it("have the digest that they had in every version", async () => {
    const rows = awkward.map((values, index) => [String(index), ...values, index === 1 ? null : String(index << 4)]);
    const { digest, plain } = await write([rows]);
    expect(digestOf(plain)).toBe(digest);
    expect(digest).toBe("2a6f75f9cc3d49dbeb77b043a5184e52");
    expect(plain[1]).toEqual([
      ...["1", "-9223372036854775808", "1", "-9999999999999999999999999999.9999999999", "-0.9999"],
      ...["-99999999999999999999", "false", "", "-719162", "-62135596800000000"],
      ...["00000000-0000-0000-0000-000000000000", "null", null],
    ]);
  });

  it("of other kinds of columns are read as well, where nothing is lost by it", async () => {
    const kinds: readonly SinkColumn[] = [
      { name: "id", type: "integer" },
      { name: "price", type: "decimal", precision: 6, scale: 2 },
      { name: "day", type: "date" },
      { name: "at", type: "timestamp" },
      { name: "ratio", type: "double" },
    ];
    const { plain } = await write(
      [
        [
          ["12.0", "1.2000", "2021-11-07 00:00:00", "2021-11-07 02:48:42+00", "NaN"],
          ["-7", "0", "0001-01-01 (BC)", "0001-01-01 (BC) 10:00:00", "-Infinity"],
          ["7.", "-1", "12021-11-07", "12021-11-07 00:00:00", "1e400"],
          ["8", "1", "0001-01-01 BC", "0001-01-01 10:00:00+00 BC", "1"],
        ],
      ],
      kinds,
    );
    expect(plain.map((texts) => texts.slice(0, 4))).toEqual([
      ["12", "1.20", "18938", "1636253322000000"],
      ["-7", "0.00", "-719528", "-62167183200000000"],
      ["7", "-1.00", String(Date.parse("+012021-11-07") / 86_400_000), `${Date.parse("+012021-11-07")}000`],
      ["8", "1.00", "-719528", "-62167183200000000"],
    ]);
  });

  it.each<[string, SinkColumn["type"], string]>([
    ["a fraction in a whole number", "integer", "1.5"],
    ["a whole number that is too large", "integer", "2147483648"],
    ["digits that a decimal does not keep", "decimal", "1.0001"],
    ["an infinite day", "date", "infinity"],
    ["a day that is a time", "date", "2021-11-07 01:00:00"],
    ["a day of no era", "date", "0044-03-15 AD"],
    ["a time with nanoseconds", "timestamp", "2021-11-07 00:00:00.123456789"],
    ["a time of another zone", "timestamp", "2021-11-07 00:00:00+02"],
    ["an infinite time", "timestamp", "infinity"],
    ["no uuid", "uuid", "6f9619ff"],
    ["no JSON", "json", "{"],
    ["words for a number", "double", "many"],
    ["words for a truth", "boolean", "maybe"],
  ])("are refused, not changed: %s", async (_, type, value) => {
    const of: readonly SinkColumn[] = [{ name: "x", type, nullable: true }];
    const failure = await write([[["1"], [value]].map((texts) => (type === "integer" ? texts : [value]))], of).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(UnfitValue);
    expect((failure as UnfitValue).message).toContain(JSON.stringify(value));
  });

  it("are refused when they are null and must not be", async () => {
    const of: readonly SinkColumn[] = [{ name: "x", type: "text" }];
    await expect(write([[["a"], [null]]], of)).rejects.toThrow('the column "x" holds null, and is text, never null');
  });
});

describe("a row", () => {
  it("may have one column that is null, or hundreds of columns", async () => {
    const one: readonly SinkColumn[] = [{ name: "x", type: "text", nullable: true }];
    const few = await write([[[null], [""], ["\n"], ["+"]]], one);
    expect(few.plain).toEqual([[null], [""], ["\n"], ["+"]]);
    expect(await readAvro(few.avro, one)).toEqual(few.plain);
    const many = Array.from({ length: 300 }, (_, index): SinkColumn => ({ name: `c ${index}`, type: "integer" }));
    const wide = await write([[many.map((_, index) => String(index))]], many);
    expect(await readAvro(wide.avro, many)).toEqual(wide.plain);
  });

  it("may be longer than what is written at once", async () => {
    const of: readonly SinkColumn[] = [
      { name: "id", type: "integer" },
      { name: "note", type: "text" },
    ];
    const long = "0123456789abcdef".repeat(80_000);
    const rows = [1, 2, 3, 4, 5].map((id): Texts => [String(id), id % 2 === 0 ? long : "short"]);
    const written = await write([rows], of);
    expect(await readAvro(written.avro, of)).toEqual(rows);
    const survey = await surveyOf(written.parquet, of, 1_000_000);
    expect(survey.batches).toEqual([1, 2, 2]);
  });
});

describe("an Avro file", () => {
  const simple = table("people of x", { id: integer().key(), "full name": text().nullable() });
  const of = backupColumns(simple, false);

  const make = async (rows: readonly Texts[]): Promise<string> => {
    files += 1;
    const path = join(folder, `made-${files}.avro`);
    const writer = await AvroWriter.open(path, "people of x", of);
    await writer.append(rows);
    await writer.finish();
    return path;
  };

  it("is read by other tools, with the table's name and logical types", async () => {
    const path = await make([
      ["1", "a"],
      ["2", null],
    ]);
    const rows: unknown[] = [];
    let schema: unknown;
    const decoder = avro.createFileDecoder(path);
    decoder.on("metadata", (type: avro.Type) => (schema = type.schema({ exportAttrs: true })));
    for await (const read of decoder) rows.push({ ...(read as object) });
    expect(rows).toEqual([
      { id: 1, full_name: "a" },
      { id: 2, full_name: null },
    ]);
    expect(schema).toMatchObject({ name: "people_of_x", doc: "people of x" });
    expect(avroSchema("every thing", columns)).toMatchObject({
      name: "every_thing",
      fields: expect.arrayContaining([
        { name: "at", type: ["null", { type: "long", logicalType: "timestamp-micros" }], default: null },
        { name: "day", type: ["null", { type: "int", logicalType: "date" }], default: null },
        { name: "code", type: ["null", { type: "string", logicalType: "uuid" }], default: null },
        {
          name: "price",
          type: ["null", { type: "bytes", logicalType: "decimal", precision: 38, scale: 10 }],
          default: null,
        },
        { name: "_millrace", type: ["null", "long"], default: null },
      ]),
    });
  });

  it("has a legal name for every column, and none twice", () => {
    const names = ["a b", "a_b", "a-b", "1st", "__proto__", "é", "constructor", "_", "a_b_2"];
    const { fields } = avroSchema(
      "t",
      names.map((name) => ({ name, type: "text" })),
    );
    expect(new Set(fields.map(({ name }) => name)).size).toBe(names.length);
    for (const { name } of fields) expect(name).toMatch(/^[A-Za-z_][A-Za-z0-9_]*$/);
    expect(fields.map(({ name, doc }) => doc ?? name)).toEqual(names);
  });

  it("is refused wherever it ends too early", async () => {
    const path = await make(Array.from({ length: 5 }, (_, id) => [String(id), "x"]));
    const whole = await readFile(path);
    for (let length = 0; length < whole.length; length += 7) {
      await writeFile(path, whole.subarray(0, length));
      const read = async (): Promise<void> => {
        for await (const _ of avroRows(path, "people of x", of));
      };
      const code = await read().then(
        () => "none",
        (error: unknown) => (error as { code?: string }).code,
      );
      // Without its only block, but with its header, it is the file of no rows.
      if (code === "none") expect(whole.subarray(length - 16, length)).toEqual(whole.subarray(-16));
      else expect(["FILE_FORMAT", "FILE_TRUNCATED"]).toContain(code);
    }
  });

  it("is refused when any byte of its frame is another", { timeout: 60_000 }, async () => {
    const path = await make(Array.from({ length: 5 }, (_, id): Texts => [String(id), `name ${id}`]));
    const whole = await readFile(path);
    for (let at = 0; at < whole.length; at += 1) {
      const changed = Buffer.from(whole);
      changed.writeUInt8(changed.readUInt8(at) ^ 0x41, at);
      await writeFile(path, changed);
      const rows: Texts[] = [];
      const read = async (): Promise<void> => {
        for await (const block of avroRows(path, "people of x", of)) rows.push(...block);
      };
      const code = await read().then(
        () => "none",
        (error: unknown) => (error as { code?: string }).code,
      );
      // A value may have become another one: checksum and digest are for that.
      if (code === "none") expect(rows.length).toBe(5);
      else expect(["FILE_FORMAT", "FILE_TRUNCATED"]).toContain(code);
    }
  });

  it("is refused when a block has more or fewer records than it says", async () => {
    const path = await make(Array.from({ length: 5 }, (_, id): Texts => [String(id), "x"]));
    const whole = await readFile(path);
    // Behind the header, which ends with the sync marker that ends the file.
    const count = whole.indexOf(whole.subarray(-16)) + 16;
    expect(whole.readUInt8(count)).toBe(10);
    for (const other of [8, 12]) {
      const changed = Buffer.from(whole);
      changed.writeUInt8(other, count);
      await writeFile(path, changed);
      const read = async (): Promise<void> => {
        for await (const _ of avroRows(path, "people of x", of));
      };
      await expect(read()).rejects.toMatchObject({ code: "FILE_FORMAT" });
    }
  });
});
