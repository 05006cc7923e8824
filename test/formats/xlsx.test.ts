import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FormatOptions } from "../../src/core/pipeline.ts";
import { limit } from "../../src/core/limit.ts";
import { sniff } from "../../src/formats/sniff.ts";
import { sheetLayout } from "../../src/formats/xlsx/layout.ts";
import { dateKind, dateText } from "../../src/formats/xlsx/number-format.ts";
import { sheetReader } from "../../src/formats/xlsx/reader.ts";
import type { RawBatch } from "../../src/ports/source.ts";
import { parseStrictly } from "./reading.ts";
import { cell, partsOf, row, type TestBook, writeBook, writeZip } from "./xlsx/workbook.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-xlsx-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

interface Read {
  readonly columns: readonly (string | undefined)[];
  readonly notices: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly lines: readonly (number | undefined)[];
  readonly rejects: readonly string[];
  readonly batches: readonly RawBatch[];
}

async function readFrom(path: string, options: FormatOptions = {}, start = 0, batchBytes = 1 << 20): Promise<Read> {
  const file = await open(path);
  async function* read(from: number, to: number): AsyncGenerator<Uint8Array, void> {
    const bytes = Buffer.alloc(Math.max(0, to - from));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
    // Pieces of an odd size: nothing may depend on where they end.
    for (let at = 0; at < bytesRead; at += 777) yield bytes.subarray(at, Math.min(at + 777, bytesRead));
  }
  try {
    const { size } = await file.stat();
    await sniff((from) => read(from, size), path, options);
    const layout = await sheetLayout(read, size, path, options, undefined);
    const reader = sheetReader({
      ...{ read, sizeBytes: size, layout, source: path, close: async () => undefined },
      start: { row: start, byte: 0, line: 1, sizeBytes: size },
      bounds: { ...limit, batchBytes },
    });
    const batches: RawBatch[] = [];
    for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) batches.push(batch);
    await reader.close();
    return {
      columns: layout.shape.columns,
      notices: layout.notices,
      rows: batches.flatMap((batch) => rowsOf(batch, layout.shape.columns.length)),
      lines: batches.flatMap((batch) => Array.from({ length: batch.count }, (_, index) => batch.at(index).line)),
      rejects: batches.flatMap(({ malformed }) =>
        malformed.map(({ line, reasons }) => `${line}: ${reasons[0]?.code} ${reasons[0]?.message}`),
      ),
      batches,
    };
  } finally {
    await file.close();
  }
}

function rowsOf({ records }: RawBatch, columns: number): string[][] {
  if (records.kind !== "delimited") throw new Error("not delimited");
  return parseStrictly(Buffer.from(records.text).toString("utf8"), ",", '"', columns === 1);
}

let books = 0;

async function book(made: TestBook): Promise<string> {
  books += 1;
  const path = join(folder, `book${books}.xlsx`);
  await writeBook(path, made);
  return path;
}

const sheet = (...rows: readonly string[]): TestBook => ({ sheets: [{ name: "Sheet1", rows }] });

describe("a sheet", { timeout: 120_000 }, () => {
  it("gives every kind of value as its text, and rows by the numbers that the program shows", async () => {
    const path = await book({
      ...sheet(
        row(2, cell.inline("B2", "id"), cell.shared("C2", 0), cell.inline("D2", "active"), cell.inline("E2", "note")),
        row(3, cell.number("B3", 1), cell.shared("C3", 1), cell.truth("D3", true), cell.inline("E3", "007")),
        row(4),
        row(5, cell.number("B5", "1.1000000000000001"), cell.shared("C5", 2), cell.truth("D5", false)),
        row(
          6,
          cell.number("B6", "1E-3"),
          cell.inline("E6", 'say "hi", <b>\n& go'),
          cell.formula("C6", 'A1&"x"', "got"),
        ),
        row(7, cell.number("B7", "123456789012345"), cell.error("C7", "#N/A"), cell.inline("E7", " kept ")),
        row(8, cell.inline("B8", ""), cell.shared("C8", 3)),
        row(9, cell.formula("B9", "1+1", 2), cell.inline("E9", "=cmd|' /C calc'!A0")),
      ),
      texts: [
        "<si><t>na</t><rPh sb='0'><t>IGNORED</t></rPh></si><si><r><t>Ann </t></r><r><t>Lee</t></r></si>",
        "<si><t>two_x000D__x005F_x000D_&#x1F600;&amp;</t></si><si><t/></si>",
      ],
    });
    const { columns, rows, lines, rejects } = await readFrom(path);
    expect(columns).toEqual(["id", "na", "active", "note"]);
    expect(rows).toEqual([
      ["1", "Ann Lee", "true", "007"],
      ["1.1", "two\r_x000D_😀&", "false", ""],
      ["0.001", "got", "", 'say "hi", <b>\n& go'],
      ["123456789012345", "#N/A", "", " kept "],
      ["2", "", "", "=cmd|' /C calc'!A0"],
    ]);
    expect(lines).toEqual([3, 5, 6, 7, 9]);
    expect(rejects).toEqual([]);
  });

  it("tells dates from numbers by their style, in both systems", async () => {
    const formats = [14, 22, "yyyy\\-mm\\-dd", "[h]:mm:ss", '0.00" days"', "mm:ss.0", "[$-409]d\\ mmm"];
    const dates = row(2, ...["A2", "B2", "C2"].map((at, n) => cell.number(at, 44197.75, [1, 2, 5][n])));
    const others = row(3, cell.number("A3", 44197, 3), cell.number("B3", 1.5, 4), cell.number("C3", 0.000694444, 6));
    const more = row(4, cell.number("A4", 44197, 7), cell.number("B4", 59, 1), cell.number("C4", 61, 1));
    const rows = [row(1, cell.inline("A1", "a"), cell.inline("B1", "b"), cell.inline("C1", "c")), dates, others, more];
    const shown = await readFrom(await book({ ...sheet(...rows), formats }));
    expect(shown.rows).toEqual([
      ["2021-01-01T18:00:00", "2021-01-01T18:00:00", "44197.75"],
      ["2021-01-01", "36:00:00", "00:01:00"],
      ["2021-01-01", "1900-02-28", "1900-03-01"],
    ]);
    const old = await readFrom(await book({ ...sheet(...rows), formats, is1904: true }));
    expect(old.rows[1]?.[0]).toBe("2025-01-02");
  });

  it("is chosen by name, in any case; the first visible one is read otherwise, and that is said", async () => {
    const path = await book({
      sheets: [
        { name: "Hidden", state: "hidden", rows: [row(1, cell.number("A1", 1))] },
        { name: "Data", rows: [row(1, cell.number("A1", 2))] },
        { name: "More &amp; more", rows: [row(1, cell.number("A1", 3))] },
      ],
      prefix: "x:",
    });
    expect(await readFrom(path)).toMatchObject({ rows: [["2"]] });
    expect((await readFrom(path)).notices[0]).toContain('"Data" is read; --sheet names another: "More & more"');
    expect(await readFrom(path, { sheet: "more & MORE" })).toMatchObject({ rows: [["3"]] });
    await expect(readFrom(path, { sheet: "Dta" })).rejects.toMatchObject({
      code: "SHEET_UNKNOWN",
      remedy: expect.stringContaining('Did you mean "Data"?') as string,
    });
  });

  it("goes on from any row, whatever the batches were", async () => {
    const all = Array.from({ length: 2000 }, (_, n) =>
      row(n + 2, cell.number(`A${n + 2}`, n), cell.shared(`B${n + 2}`, n)),
    );
    const header = row(1, cell.inline("A1", "id"), cell.inline("B1", "name"));
    const texts = Array.from({ length: 2000 }, (_, n) => `<si><t>name ${n} ${"x".repeat(n % 50)}</t></si>`);
    const path = await book({ ...sheet(header, ...all), texts });
    const whole = await readFrom(path, {}, 0, 4096);
    expect(whole.batches.length).toBeGreaterThan(5);
    expect(whole.rows).toHaveLength(2000);
    expect(whole.batches.at(-1)?.end).toMatchObject({ row: 2000, done: true });
    for (const start of [1, 777, 1999]) {
      const rest = await readFrom(path, {}, start, 10_000);
      expect(rest.rows).toEqual(whole.rows.slice(start));
      expect(rest.lines).toEqual(whole.lines.slice(start));
    }
  });

  it("rejects the row of a formula that has no value, or of a cell beside the table, and reads on", async () => {
    const header = row(1, cell.inline("A1", "id"), cell.inline("B1", "sum"));
    const many = Array.from({ length: 150 }, (_, n) =>
      row(n + 2, cell.number(`A${n + 2}`, n), cell.number(`B${n + 2}`, n)),
    );
    const odd = [row(152, cell.number("A152", 1), cell.formula("B152", "A152*2")), row(153, cell.number("D153", 9))];
    const { rows, rejects } = await readFrom(
      await book(sheet(header, ...many, ...odd, row(154, cell.number("A154", 5)))),
    );
    expect(rows).toHaveLength(151);
    expect(rejects).toEqual([
      "152: malformed the cell B152 holds a formula that has no value",
      "153: columns the cell D153 lies outside of the 2 columns of the sheet",
    ]);
  });
});

describe("a file that cannot be read as a workbook is refused by name", { timeout: 120_000 }, () => {
  const codeOf = async (path: string, options: FormatOptions = {}): Promise<string> =>
    readFrom(path, options).then(
      () => "read",
      (error: unknown) => {
        const { code, message } = error as { code?: string; message: string };
        return `${code}: ${message.replaceAll(`${folder}/`, "")}`;
      },
    );

  it("when it holds formulas alone, or too many columns", async () => {
    const formulas = sheet(row(1, cell.inline("A1", "sum")), row(2, cell.formula("A2", "1+1")));
    expect(await codeOf(await book(formulas))).toMatch(
      /^FILE_FORMAT: The sheet "Sheet1" .* holds formulas without values/,
    );
    const cells = Array.from({ length: 10_000 }, (_, n) => `<c><v>${n}</v></c>`);
    expect(await codeOf(await book(sheet(row(1, ...cells))))).toMatch(/^COLUMNS_MISMATCH: .* has 10000 columns/);
  });

  it("when it is protected by a password, of old, or no workbook at all", async () => {
    const container = Buffer.alloc(4096);
    Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]).copy(container);
    container.writeUInt16LE(9, 30);
    container.writeUInt32LE(1, 48);
    await writeFile(join(folder, "old.xlsx"), container);
    Buffer.from("EncryptedPackage", "utf16le").copy(container, 1024);
    await writeFile(join(folder, "protected.xlsx"), container);
    await writeFile(join(folder, "text.xlsx"), "a,b\n1,2\n");
    await writeZip(join(folder, "zip.xlsx"), [{ name: "readme.txt", text: ["hello"] }]);
    await writeZip(join(folder, "locked.xlsx"), partsOf(sheet(row(1, cell.number("A1", 1)))), 1);
    expect(await codeOf(join(folder, "protected.xlsx"))).toBe(
      "FILE_ENCRYPTED: protected.xlsx is protected by a password",
    );
    expect(await codeOf(join(folder, "locked.xlsx"))).toBe("FILE_ENCRYPTED: locked.xlsx is protected by a password");
    expect(await codeOf(join(folder, "old.xlsx"))).toMatch(/^FILE_FORMAT: .* old Excel workbook/);
    expect(await codeOf(join(folder, "text.xlsx"))).toMatch(/^FILE_FORMAT: .* no XLSX workbook/);
    expect(await codeOf(join(folder, "zip.xlsx"))).toMatch(/^FILE_FORMAT: .* another kind of ZIP file/);
  });

  it("when it is cut off or damaged, wherever that is", async () => {
    const path = await book(
      sheet(...Array.from({ length: 300 }, (_, n) => row(n + 1, cell.number(`A${n + 1}`, n * 7919)))),
    );
    const file = await open(path);
    const bytes = await file.readFile();
    await file.close();
    const broken = join(folder, "broken.xlsx");
    await writeFile(broken, bytes.subarray(0, bytes.length - 100));
    expect(await codeOf(broken)).toMatch(/^FILE_TRUNCATED: /);
    for (let at = 40; at < bytes.length; at += 223) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x55;
      await writeFile(broken, changed);
      expect(await codeOf(broken), `byte ${at}`).toMatch(/^(read$|FILE_|SHEET_UNKNOWN)/);
    }
  });

  it("when it expands beyond all bounds, or names what XML should not have", async () => {
    const spaces = " ".repeat(1 << 20);
    function* bomb(): Iterable<string> {
      for (let n = 0; n < 100; n += 1) yield `<row r="${n + 1}">${spaces}<c><v>1</v></c></row>`;
    }
    expect(await codeOf(await book({ sheets: [{ name: "a", rows: bomb() }] }))).toMatch(/^FILE_EXPANDS: /);
    const parts = partsOf(sheet(row(1, cell.number("A1", 1)))).map((part) =>
      part.name.endsWith("sheet1.xml")
        ? {
            ...part,
            text: [
              '<!DOCTYPE a [<!ENTITY b "c">]><worksheet><sheetData><row><c><v>&b;</v></c></row></sheetData></worksheet>',
            ],
          }
        : part,
    );
    await writeZip(join(folder, "entities.xlsx"), parts);
    expect(await codeOf(join(folder, "entities.xlsx"))).toMatch(/^FILE_FORMAT: .* has a document type/);
  });
});

describe("formats of numbers", { timeout: 120_000 }, () => {
  it.each([
    ["General", undefined],
    ["0.00E+00", undefined],
    ["#,##0.00 [$€-407];[Red]-#,##0.00", undefined],
    ['"day "0', undefined],
    ["dd/mm/yyyy", "date"],
    ["mmm-yy;@", "date"],
    ["h:mm AM/PM", "time"],
    ["yyyy-mm-dd hh:mm:ss", "timestamp"],
    ["[mm]:ss", "duration"],
  ])("%s shows %s", (code, kind) => expect(dateKind(164, code)).toBe(kind));

  it("have a day that never was, and no day before the first", () => {
    expect([60, -1, 3e6].map((serial) => dateText(serial, "date", false))).toEqual([undefined, undefined, undefined]);
    expect(dateText(1, "date", false)).toBe("1900-01-01");
    expect(dateText(0, "timestamp", true)).toBe("1904-01-01T00:00:00");
  });
});

describe("texts that cells share", { timeout: 120_000 }, () => {
  it("are found again when there are more of them than memory is given to, in any order", async () => {
    const count = 220_000;
    const textOf = (n: number): string => `text ${n} ${"é".repeat(40 + (n % 30))}`;
    function* texts(): Iterable<string> {
      for (let first = 0; first < count; first += 1000) {
        yield Array.from({ length: 1000 }, (_, n) => `<si><t>${textOf(first + n)}</t></si>`).join("");
      }
    }
    // Enough characters for several times the bound.
    expect(count * textOf(0).length * 2).toBeGreaterThan(limit.sharedTextMemoryBytes / 2);
    const picked = Array.from({ length: 3000 }, (_, n) => (n % 3 === 0 ? 5 : (n * 7919) % count));
    const rows = picked.map((index, n) => row(n + 1, cell.number(`A${n + 1}`, n), cell.shared(`B${n + 1}`, index)));
    const found = await readFrom(await book({ ...sheet(...rows), texts: texts() }), { header: false });
    expect(found.rows.map(([, text]) => text)).toEqual(picked.map(textOf));
  });
});
