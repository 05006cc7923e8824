import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BoundaryFinder } from "../../src/formats/split.ts";
import type { FilePosition } from "../../src/formats/position.ts";
import { csvFrame, parseStrictly, readBatches, recordsOf, rowsOf, shapeOf, startPosition } from "./reading.ts";

const field = fc.string({ unit: fc.constantFrom("a", "b", "1", " ", ",", '"', "\n", "\r", "é", "漢"), maxLength: 8 });
const rowsArbitrary = fc
  .integer({ min: 1, max: 4 })
  .chain((columns) => fc.array(fc.array(field, { minLength: columns, maxLength: columns }), { maxLength: 25 }));
const pieces = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

interface Written {
  readonly rows: readonly (readonly string[])[];
  readonly bytes: Buffer;
  readonly columns: number;
}

/** Rows as CSV: quotes where they must be, and where a coin says so; LF, CR LF or both; with or without a last one. */
const written: fc.Arbitrary<Written> = fc
  .record({
    rows: rowsArbitrary,
    coins: fc.infiniteStream(fc.boolean()),
    ends: fc.constantFrom("\n", "\r\n", "mixed"),
    last: fc.boolean(),
  })
  .map(({ rows, coins, ends, last }) => {
    const coin = (): boolean => coins.next().value as boolean;
    const lines = rows.map((row) => row.map((value) => (mustQuote(value) || coin() ? quoted(value) : value)).join(","));
    const text = lines.map((line) => line + (ends === "mixed" ? (coin() ? "\n" : "\r\n") : ends)).join("");
    // A last value that is empty and alone needs its line end to be a record.
    const isBlank = rows.at(-1)?.length === 1 && lines.at(-1) === "";
    return {
      rows,
      bytes: Buffer.from(last || isBlank ? text : text.replace(/\r?\n$/, "")),
      columns: rows[0]?.length ?? 1,
    };
  });

const mustQuote = (value: string): boolean => /^"|[,\n]|\r$/.test(value) || value.includes("\r\n");
const quoted = (value: string): string => `"${value.replaceAll('"', '""')}"`;

const few = { numRuns: 300 };

describe("CSV, whatever the rows, quotes, line ends and pieces", () => {
  it("comes back equal, as text and record by record", async () => {
    await fc.assert(
      fc.asyncProperty(
        written,
        pieces,
        fc.integer({ min: 1, max: 60 }),
        async ({ rows, bytes, columns }, sizes, batchBytes) => {
          const batches = await readBatches(bytes, {
            frame: csvFrame(shapeOf(columns)),
            bounds: { batchBytes },
            pieces: sizes,
          });
          expect(rowsOf(batches)).toEqual(rows);
          const single = batches.flatMap((batch) =>
            Array.from({ length: batch.count }, (_, index) =>
              parseOne(Buffer.from(batch.at(index).bytes).toString("utf8")),
            ),
          );
          expect(single).toEqual(rows);
          const end = batches.at(-1)?.end;
          expect(end ?? startPosition).toMatchObject({ row: rows.length, byte: bytes.length });
        },
      ),
      few,
    );
  });

  it("goes on from the end of every batch with the same records, bytes and lines", async () => {
    await fc.assert(
      fc.asyncProperty(written, fc.integer({ min: 1, max: 40 }), async ({ bytes, columns }, batchBytes) => {
        const options = { frame: csvFrame(shapeOf(columns)), bounds: { batchBytes } };
        const batches = await readBatches(bytes, options);
        for (const [index, batch] of batches.entries()) {
          const { done: _, open: __, ...start } = batch.end as FilePosition;
          const rest = await readBatches(bytes, { ...options, start, bounds: { batchBytes: batchBytes + 7 } });
          expect(recordsOf(rest)).toEqual(recordsOf(batches.slice(index + 1)));
        }
      }),
      few,
    );
  });
});

// Nearly random bytes: quotes in all places, NUL, broken UTF-8, records that are too long.
const noise = fc
  .array(fc.constantFrom(...'aaa,,,\n\n\n""\r\0\xff'.split("")), { maxLength: 120 })
  .map((characters) => Buffer.from(characters.join(""), "latin1"));

describe("text that is hardly CSV", () => {
  it("gives the same records, good and malformed, however it is cut into pieces and batches", async () => {
    await fc.assert(
      fc.asyncProperty(
        noise,
        pieces,
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 8, max: 60 }),
        async (bytes, sizes, batchBytes, recordBytes) => {
          const frame = csvFrame(shapeOf(2), { recordBytes });
          const whole = await readBatches(bytes, { frame, bounds: { recordBytes, batchBytes: 1000 } });
          const cut = await readBatches(bytes, { frame, bounds: { recordBytes, batchBytes }, pieces: sizes });
          expect(recordsOf(cut).map(withoutTail)).toEqual(recordsOf(whole).map(withoutTail));
          expect(rowsOf(cut)).toEqual(rowsOf(whole));
          expect(cut.at(-1)?.end.row).toEqual(whole.at(-1)?.end.row);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("loses no line: every byte is in a record, a line end or a blank line", async () => {
    await fc.assert(
      fc.asyncProperty(noise, async (bytes) => {
        const batches = await readBatches(bytes, { frame: csvFrame(shapeOf(2)), bounds: { rejectBytes: 1000 } });
        const seen = Buffer.from(bytes);
        for (const { offset, line, text, codes } of recordsOf(batches)) {
          seen.fill("\n", offset, offset + text.length);
          expect(line).toBe(lineAt(bytes, offset));
          expect(codes.includes("encoding")).toBe(text.includes("\xff"));
          if (text.includes("\0")) expect(codes).toContain("malformed");
        }
        expect(seen.toString("latin1").replaceAll(/[\r\n]/g, "")).toBe("");
      }),
      { numRuns: 1000 },
    );
  });

  it("is found the same by the fast path and by the tokenizer", async () => {
    const plain = fc.array(fc.constantFrom("a,b", "a,", ",", "", "a", "a,b,c", "é,ü", "x\ry,z"), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(plain, fc.constantFrom("\n", "\r\n"), async (lines, end) => {
        const bytes = Buffer.from(lines.map((line) => line + end).join(""));
        const fast = await readBatches(bytes, { frame: csvFrame(shapeOf(2)) });
        // Bytes beyond the bound of a record are never taken by the fast path.
        const exact = await readBatches(bytes, { frame: csvFrame(shapeOf(2), { recordBytes: 20 }) });
        expect(recordsOf(fast)).toEqual(recordsOf(exact));
        expect(rowsOf(fast)).toEqual(rowsOf(exact));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("a file split into parts", () => {
  it.each([
    ["rows", written],
    ["noise", noise.map((bytes) => ({ bytes, columns: 2 }))],
  ] as const)("covers all records once, each part from an exact record start (%s)", async (_, texts) => {
    await fc.assert(
      fc.asyncProperty(
        texts as fc.Arbitrary<{ bytes: Buffer; columns: number }>,
        pieces,
        fc.integer({ min: 2, max: 5 }),
        fc.integer({ min: 8, max: 60 }),
        async ({ bytes, columns }, sizes, parts, recordBytes) => {
          const frame = csvFrame(shapeOf(columns), { recordBytes });
          const whole = recordsOf(await readBatches(bytes, { frame, bounds: { recordBytes } }));
          const targets = Array.from({ length: parts - 1 }, (__, part) =>
            Math.max(1, Math.floor((bytes.length * (part + 1)) / parts)),
          );
          const cut = { dialect: shapeOf(columns), blankIsRecord: columns === 1, recordBytesMax: recordBytes };
          const finder = new BoundaryFinder(cut, { byte: 0, line: 1 }, targets);
          for (let at = 0, piece = 0; at < bytes.length; piece += 1) {
            const size = sizes[piece % sizes.length] ?? 1;
            finder.look(bytes.subarray(at, at + size));
            at += size;
          }
          const starts = [startPosition, ...finder.found.map((found) => ({ ...found, sizeBytes: 0 }))];
          const found = [];
          for (const [index, start] of starts.entries()) {
            const end = starts[index + 1]?.byte ?? bytes.length;
            found.push(
              ...recordsOf(await readBatches(bytes, { frame, bounds: { recordBytes, batchBytes: 30 }, start, end })),
            );
          }
          expect(found.map(withoutTail)).toEqual(whole.map(withoutTail));
        },
      ),
      { numRuns: 1000 },
    );
  });
});

const lineAt = (bytes: Buffer, offset: number): number =>
  bytes.subarray(0, offset).toString("latin1").split("\n").length;

/** How much of a record that is too long was seen, and why exactly it is malformed, depends on the pieces. */
const withoutTail = ({ codes, text, ...rest }: { codes: readonly string[]; text: string }) => ({
  ...rest,
  codes: codes.includes("too_long") ? ["too_long"] : codes,
  text: codes.includes("too_long") ? "" : text,
});

/** A record as it came, which may hold quotes and carriage returns in unquoted fields. */
function parseOne(record: string): string[] {
  const fields = record.match(/(?:"(?:[^"]|"")*"|[^,"][^,]*)?(?:,|$)/g) ?? [];
  const count = fields.filter((text) => text.endsWith(",")).length + 1;
  return fields.slice(0, count).map((text) => {
    const value = text.replace(/,$/, "");
    return value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value;
  });
}

it("the strict parser of these tests refuses what is not RFC 4180", () => {
  expect(parseStrictly('a,"b""\n"\n,\n', ",", '"', false)).toEqual([
    ["a", 'b"\n'],
    ["", ""],
  ]);
  for (const [text, why] of [
    ['a,b"c\n', "lacks its quotes"],
    ['a,"b"c\n', "text after a closing quote"],
    ['"a', "not closed"],
    ["a\rb,c\n", "lacks its quotes"],
    ["a,b\n\n", "a blank line"],
    ['a,b\n"c",d\r\n', "line ends of two kinds"],
  ] as const) {
    expect(() => parseStrictly(text, ",", '"', false)).toThrow(why);
  }
});
