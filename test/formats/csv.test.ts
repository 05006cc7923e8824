import { describe, expect, it } from "vitest";
import type { FormatOptions } from "../../src/core/pipeline.ts";
import { columnsOf, date, integer, text } from "../../src/core/table.ts";
import { frameCsv } from "../../src/formats/csv/frame.ts";
import { csvLayout } from "../../src/formats/csv/layout.ts";
import { batchOfRecords } from "../../src/formats/replay.ts";
import { csvFrame, readBatches, recordsOf, rowsOf, shapeOf } from "./reading.ts";

const reasons = async (bytes: Buffer, columns = 2) => {
  const batches = await readBatches(bytes, { frame: csvFrame(shapeOf(columns)) });
  return batches.flatMap(({ malformed }) =>
    malformed.map(({ line, bytes: kept, reasons: [first] }) => [
      line,
      Buffer.from(kept).toString("latin1"),
      first?.code,
      first?.message,
    ]),
  );
};

describe("a malformed record", () => {
  it.each([
    ["too few fields", "a,b\na\nc,d\n", [[2, "a", "columns", "1 field where 2 are expected"]], 2],
    ["too many fields", "a,b\n1,2,3\n", [[2, "1,2,3", "columns", "3 fields where 2 are expected"]], 1],
    [
      "text after a closing quote",
      'a,b\n"x"y,z\nc,d\n',
      [[2, '"x"y,z', "malformed", "there is text after a closing quote"]],
      2,
    ],
    [
      "a quote that is not closed",
      'a,b\n1,"x\nc,d\n',
      [[2, '1,"x', "malformed", "a quote is opened and not closed"]],
      2,
    ],
    [
      "a quote that closes in a later record",
      'a,b\n1,"x\nc,d\ne,"f"\ng,h\n',
      [[2, '1,"x', "malformed", "there is text after a closing quote"]],
      4,
    ],
    ["a NUL byte", "a,b\n1,\0\n", [[2, "1,\0", "malformed", "the record holds a NUL byte"]], 1],
    [
      "no UTF-8",
      Buffer.from("a,b\n1,\xe9\nc,d\n", "latin1"),
      [[2, "1,\xe9", "encoding", "the record is not valid UTF-8"]],
      2,
    ],
  ])("%s", async (_, content, expected, good) => {
    const bytes = Buffer.from(content as string);
    expect(await reasons(bytes)).toEqual(expected);
    const batches = await readBatches(bytes, { frame: csvFrame(shapeOf(2)) });
    expect(rowsOf(batches)).toHaveLength(good);
  });

  it("has every reason at once", async () => {
    const [batch] = await readBatches(Buffer.from("1,\0,\xe9\n", "latin1"), { frame: csvFrame(shapeOf(2)) });
    expect(batch?.malformed[0]?.reasons.map(({ code }) => code)).toEqual(["columns", "malformed", "encoding"]);
  });

  it("longer than the bound is streamed past: memory stays flat and its first bytes are kept", async () => {
    const piece = Buffer.alloc(1 << 20, "x");
    async function* long(): AsyncGenerator<Uint8Array, void> {
      yield Buffer.from('a,b\n1,"');
      for (let count = 0; count < 300; count += 1) yield piece;
      yield Buffer.from('"\nc,d\n');
    }
    const { framedReader } = await import("../../src/formats/reader.ts");
    const { ByteWindow } = await import("../../src/formats/window.ts");
    const bounds = { batchBytes: 1 << 20, batchRecords: 1000, recordBytes: 4 << 20, rejectBytes: 64 };
    const start = { row: 0, byte: 0, line: 1, sizeBytes: 0 };
    const window = new ByteWindow(long());
    const reader = framedReader({
      window,
      frame: frameCsv(shapeOf(2), bounds),
      format: {},
      start,
      bounds,
      close: async () => {},
    });
    const before = process.memoryUsage().arrayBuffers;
    const batches = [];
    for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) {
      batches.push(batch);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 << 20);
    }
    const records = recordsOf(batches);
    expect(records.map(({ line, codes }) => [line, codes])).toEqual([
      [1, []],
      [2, ["too_long"]],
      [3, []],
    ]);
    expect(
      batches.flatMap(({ malformed }) => malformed.map(({ truncated, bytes }) => [truncated, bytes.length])),
    ).toEqual([[true, 64]]);
    expect(records[2]?.offset).toBe(4 + 3 + 300 * (1 << 20) + 2);
  });

  it("an open quote far from the end takes one line, not the file", async () => {
    const lines = Array.from({ length: 5000 }, (_, line) => (line === 100 ? '100,"open' : `${line},x`));
    const batches = await readBatches(Buffer.from(`${lines.join("\n")}\n`), {
      frame: csvFrame(shapeOf(2), { recordBytes: 4096 }),
      bounds: { recordBytes: 4096, batchBytes: 1024 },
    });
    const bad = recordsOf(batches).filter(({ codes }) => codes.length > 0);
    expect(bad).toMatchObject([{ line: 101, text: '100,"open', codes: ["malformed"] }]);
    expect(rowsOf(batches)).toHaveLength(4999);
  });
});

describe("a blank line", () => {
  it("is no record where records have several fields", async () => {
    const batches = await readBatches(Buffer.from("\n\na,b\n\r\n\nc,d\n\n"), { frame: csvFrame(shapeOf(2)) });
    expect(recordsOf(batches).map(({ line, row }) => [row, line])).toEqual([
      [0, 3],
      [1, 6],
    ]);
    expect(batches.at(-1)?.end).toMatchObject({ row: 2, line: 8, done: true });
  });

  it("is an empty value where they have one", async () => {
    const batches = await readBatches(Buffer.from("a\n\nb\n\n"), { frame: csvFrame(shapeOf(1)) });
    expect(rowsOf(batches)).toEqual([["a"], [""], ["b"], [""]]);
  });
});

it("says when the last record has no line end", async () => {
  const [open] = await readBatches(Buffer.from("a,b\nc,d"), { frame: csvFrame(shapeOf(2)) });
  const [closed] = await readBatches(Buffer.from("a,b\nc,d\n"), { frame: csvFrame(shapeOf(2)) });
  expect(open?.end).toMatchObject({ row: 2, done: true, open: true });
  expect(closed?.end).not.toHaveProperty("open");
});

it("takes a text without quotes for one, and quotes what needs them on the way", async () => {
  const batches = await readBatches(Buffer.from('5" tall,"a\n'), { frame: csvFrame(shapeOf(2, ",", "")) });
  expect(rowsOf(batches)).toEqual([['5" tall', '"a']]);
});

const hired = columnsOf({ id: integer(), name: text(), day: date(), note: text().nullable() });
const layout = (content: string, options: FormatOptions = {}, columns: Parameters<typeof csvLayout>[2] = hired) =>
  csvLayout({ head: Buffer.from(content), whole: true, headByte: 0 }, options, columns, "f.csv");

describe("the layout of a file", () => {
  it.each([
    ["without header", "1,a,2021-01-01,\n2,b,2021-01-02,x\n", {}, ["id", "name", "day", "note"], 0],
    [
      "with a header in another order and case",
      "DAY, Id ,note,name\n2021-01-01,1,,a\n",
      {},
      ["day", "id", "note", "name"],
      19,
    ],
    ["with a nullable column missing", "id,name,day\n1,a,2021-01-01\n", {}, ["id", "name", "day"], 12],
    [
      "with an extra column that is ignored",
      "id,x,name,day\n1,z,a,2021-01-01\n",
      { ignoreExtra: true },
      ["id", undefined, "name", "day"],
      14,
    ],
    ["with semicolons", "1;a,b;2021-01-01;\n2;c,d;2021-01-02;\n", {}, ["id", "name", "day", "note"], 0],
    ["with tabs", "id\tname\tday\tnote\n1\ta\t2021-01-01\t\n", {}, ["id", "name", "day", "note"], 17],
    [
      "with a header as told, though all looks like data",
      "1,2,3,4\n1,a,2021-01-01,\n",
      { header: false },
      ["id", "name", "day", "note"],
      0,
    ],
  ])("%s", (_, content, options, columns, byte) => {
    expect(layout(content, options)).toMatchObject({ shape: { columns }, byte });
  });

  it.each([
    [
      "a missing column",
      "id,nam,day\n1,a,2021-01-01\n",
      {},
      "HEADER_MISMATCH",
      /"name" is missing; there are "id", "nam", "day".*"nam" is nearest/,
    ],
    ["an extra column", "id,name,day,more\n1,a,2021-01-01,x\n", {}, "HEADER_MISMATCH", /lacks the column "more"/],
    ["a column twice", "id,name,Name,day\n1,a,b,2021-01-01\n", {}, "HEADER_MISMATCH", /"Name" is there twice/],
    [
      "a header of other names",
      "a,b,c,d\n1,x,2021-01-01,\n2,y,2021-01-02,\n",
      {},
      "HEADER_MISMATCH",
      /header of other names/,
    ],
    [
      "another delimiter than told",
      "1;a;2021-01-01;\n2;b;2021-01-02;\n",
      { delimiter: "," },
      "COLUMNS_MISMATCH",
      /the first 2 records have 1 field, the contract has 4 columns; the delimiter seems to be ";"/,
    ],
    [
      "another number of columns",
      "1,a\n2,b\n",
      {},
      "COLUMNS_MISMATCH",
      /the first 2 records have 2 fields, the contract has 4 columns$/,
    ],
    ["a delimiter of two characters", "1,a\n", { delimiter: "::" }, "CONFIG_INVALID", /not one ASCII character/],
  ])("refuses %s", (_, content, options, code, message) => {
    let error: { code?: string; message?: string; remedy?: string } = {};
    try {
      layout(content, options);
    } catch (thrown) {
      error = thrown as typeof error;
    }
    expect(error.code).toBe(code);
    expect(`${error.message}${code === "HEADER_MISMATCH" ? error.remedy : ""}`).toMatch(message);
  });
});

describe("the layout of a file without contract", () => {
  it.each([
    ["names over numbers", "id,name\n1,a\n2,b\n", ["id", "name"], 8],
    ["nothing but data", "1,a\n2,b\n", ["column0", "column1"], 0],
    ["texts that never repeat, by a guess", "a,b\nc,d\ne,f\n", ["a", "b"], 4],
    ["texts that are no names", "a,b.\nc,d\ne,f\n", ["column0", "column1"], 0],
    ["texts that come again", "a,b\nc,d\na,f\n", ["column0", "column1"], 0],
    ["a list of words", "a\nb\nc\n", ["column0"], 0],
    ["names that repeat, made unique", "id,x,X,\n1,a,b,c\n", ["id", "x", "X_2", "column3"], 8],
  ])("of %s", (_, content, columns, byte) => {
    const options: FormatOptions = content.startsWith("id,x") ? { header: true } : {};
    expect(
      csvLayout({ head: Buffer.from(content), whole: true, headByte: 0 }, options, undefined, "f.csv"),
    ).toMatchObject({ shape: { columns }, byte });
  });
});

describe("single records, read again", () => {
  const format = { format: "csv", delimiter: ",", quote: '"', columns: ["id", null, "name"] };
  it("keep their numbers, and what is not one record is malformed", () => {
    const records = ['1,x,"a\nb"', "2,y", "3,z,c\n4,z,d", "5,z,e"].map((line, index) => ({
      line: index + 7,
      offset: BigInt(index),
      bytes: Buffer.from(line),
    }));
    const batch = batchOfRecords(format, records);
    expect(rowsOf([batch])).toEqual([
      ["1", "x", "a\nb"],
      ["5", "z", "e"],
    ]);
    expect([batch.read, batch.count, batch.recordOf(1), batch.at(1).line]).toEqual([4, 2, 3, 10]);
    expect(batch.malformed.map(({ record, line, reasons: [reason] }) => [record, line, reason?.message])).toEqual([
      [1, 8, "2 fields where 3 are expected"],
      [2, 9, "holds 2 records where one is expected"],
    ]);
    expect(batch.records).toMatchObject({ columns: ["id", undefined, "name"] });
    const json = batchOfRecords({ format: "json", ignoreExtra: true }, [
      { line: 1, offset: 0n, bytes: Buffer.from('{"a":\n1}') },
    ]);
    expect(json.records).toEqual({ kind: "json", text: Buffer.from('{"a": 1}\n'), ignoreExtra: true });
  });
});
