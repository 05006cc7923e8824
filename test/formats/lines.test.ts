import { expect, test } from "vitest";
import { lineFormat } from "../../src/index.ts";
import { frameOwn, keptLineFormat } from "../../src/formats/lines/frame.ts";
import { filePosition } from "../../src/formats/position.ts";
import { batchOfRecords } from "../../src/formats/replay.ts";
import { points, pointsText } from "./points.ts";
import { bounds, readBatches, recordsOf, rowsOf } from "./reading.ts";

const shape = { format: points, columns: points.columns, file: "data_points_20180101.txt" };
const count = 200;

for (const [ends, lineEnd] of [
  ["LF", "\n"],
  ["CR LF", "\r\n"],
] as const) {
  test(`records of several lines that end in ${ends} are the same wherever batches and pieces are cut`, async () => {
    const { text: all, rejects } = pointsText(count, lineEnd);
    const bytes = Buffer.from(all);
    const read = async (batchBytes: number, batchRecords: number, pieces: readonly number[]) => {
      const frame = frameOwn(shape, { ...bounds, batchRecords });
      const batches = await readBatches(bytes, { frame, bounds: { batchBytes, batchRecords }, pieces });
      return { records: recordsOf(batches), rows: rowsOf(batches), batches };
    };
    const whole = await read(1 << 20, 1 << 20, []);
    expect(whole.rows).toHaveLength(count - rejects.length);
    expect(whole.rows[0]).toEqual(["-30.04982864", "-51.2150245", "20180101"]);
    expect(whole.records.filter(({ codes }) => codes.length > 0).map(({ line }) => line)).toEqual(rejects);
    const shards = [
      await read(97, 1 << 20, [1]),
      await read(300, 1 << 20, [7, 64]),
      await read(1 << 20, 1, []),
      await read(1 << 20, 3, [5]),
    ];
    for (const { records, rows, batches } of shards) {
      expect({ records, rows }).toEqual({ records: whole.records, rows: whole.rows });
      for (const { end } of batches.filter((_, index) => index % 29 === 0)) {
        const frame = frameOwn(shape, bounds);
        const rest = await readBatches(bytes, { frame, start: filePosition(end) });
        expect(recordsOf(rest)).toEqual(whole.records.slice(end.row));
      }
    }
  });
}

test("a line without end, a NUL byte, what is no UTF-8 and what the format throws cost one record each", async () => {
  const odd = lineFormat({
    name: "odd",
    columns: ["a", "b"],
    linesMax: 2,
    read: ([first = "", second]) => {
      if (first === "throw") throw new TypeError("no such line");
      return { lines: second === undefined ? 1 : 2, values: [first, second ?? null] };
    },
  });
  const small = { ...bounds, recordBytes: 100 };
  const bytes = Buffer.concat([
    Buffer.from(`a"\n\nthrow\n${"x".repeat(5_000)}\n\0\nb\n`),
    Buffer.from([0xff, 0x0a]),
    Buffer.from(`c\n${"y".repeat(60)}\n${"z".repeat(60)}\nlast`),
  ]);
  const own = { format: odd, columns: odd.columns, file: "" };
  for (const pieces of [[], [1], [64]]) {
    const batches = await readBatches(bytes, {
      frame: frameOwn(own, small),
      bounds: { ...small, batchBytes: 256 },
      pieces,
    });
    const found = recordsOf(batches).map(({ line, codes }) => [line, ...codes]);
    expect(found).toEqual([[1], [3, "malformed"], [4, "too_long"], [5, "malformed"], [7, "encoding"], [9], [10]]);
    expect(rowsOf(batches).map((row) => row.map((value) => value.slice(0, 2)))).toEqual([
      ['a"', ""],
      ["yy", ""],
      ["zz", "la"],
    ]);
  }
});

test("a format that breaks its promise is an error of its own, and one that cannot be is refused when it is made", () => {
  const make = (given: Partial<typeof points>) => lineFormat({ ...points, ...given });
  for (const given of [{ name: "csv" }, { name: "" }, { columns: [] }, { columns: ["a", "a"] }, { linesMax: 0 }])
    expect(() => make(given)).toThrow(expect.objectContaining({ code: "PIPELINE_INVALID" }));
  for (const answer of [{ lines: 0 }, { lines: 4 }, { lines: 1, values: ["a"] }]) {
    const own = { ...shape, format: make({ read: () => answer }) };
    const bytes = Buffer.from("one\ntwo");
    const frame = () => frameOwn(own, bounds)(bytes, true, { byte: 0, line: 1 });
    expect(frame).toThrow(expect.objectContaining({ code: "PIPELINE_INVALID" }));
  }
});

test("a kept record is read again by the format of its name, and by no other", () => {
  const record = (text: string) => ({ line: 5, offset: 40n, bytes: Buffer.from(text) });
  const kept = keptLineFormat(shape);
  const [good = ""] = pointsText(1).text.split("\nDistance");
  const batch = batchOfRecords(
    kept,
    [record(good), record("Longitude: W -51.5"), record(`${good}\n${good}`)],
    bounds,
    points,
  );
  expect([batch.read, batch.count, batch.malformed.map(({ reasons }) => reasons[0]?.message)]).toEqual([
    3,
    1,
    ["a longitude without its latitude", "holds 2 records where one is expected"],
  ]);
  expect(() => batchOfRecords(kept, [record(good)], bounds)).toThrow(expect.objectContaining({ code: "FILE_FORMAT" }));
});

test("a missing value and an empty text of one column are records, and stay apart", () => {
  const one = lineFormat({
    name: "one",
    columns: ["a"],
    linesMax: 1,
    read: ([line = ""]) => ({ lines: 1, values: [line === "none" ? null : line] }),
  });
  const own = { format: one, columns: one.columns, file: "" };
  const framed = frameOwn(own, bounds)(Buffer.from('none\n\n"a", b\n'), true, { byte: 0, line: 1 });
  expect(framed?.count).toBe(3);
  const { records } = framed as NonNullable<typeof framed>;
  expect(records).toMatchObject({ kind: "delimited", quoted: true });
  expect(records.kind === "delimited" && Buffer.from(records.text).toString()).toBe('\n""\n"""a"", b"\n');
});
