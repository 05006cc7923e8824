import type { EngineRow, EngineValue } from "../ports/engine.ts";
import type { SinkColumn } from "../ports/rows.ts";
import { canonicalRows } from "./row-value.ts";
import { claimLane, load, makeTarget, rowsOf, type SinkBehaviour, type SinkScene } from "./sink-scene.ts";

/** Values and names, to their extremes. */
export const valueBehaviours: readonly SinkBehaviour[] = [
  { name: "keeps whole numbers, decimals and doubles exactly", run: (scene) => roundTrips(scene, numbers) },
  { name: "keeps dates and timestamps exactly", run: (scene) => roundTrips(scene, times) },
  { name: "keeps any text, and the empty one apart from null", run: (scene) => roundTrips(scene, texts) },
  { name: "keeps json, uuid and boolean exactly", run: (scene) => roundTrips(scene, others) },
  { name: "reads every type as the row types say", run: readsBack },
  { name: "reads text that starts with a byte order mark", run: readsMark },
  { name: "keeps columns of any name in a table of any name", run: keepsNames },
];

/** Columns with, for each, the values that its rows take; every column also gets a null. */
type Extremes = readonly (SinkColumn & { readonly values: readonly EngineValue[] })[];

const numbers: Extremes = [
  { name: "int", type: "integer", values: [-2147483648, 2147483647, 0, -1] },
  { name: "big", type: "bigint", values: [-9223372036854775808n, 9223372036854775807n, 0n, 9007199254740993n] },
  {
    name: "float",
    type: "double",
    values: [1.7976931348623157e308, -1.7976931348623157e308, 5e-324, 0.1, 1e21, -1e-7, 0],
  },
  {
    name: "wide",
    type: "decimal",
    precision: 38,
    scale: 10,
    values: [
      "9999999999999999999999999999.9999999999",
      "-9999999999999999999999999999.9999999999",
      "0.0000000001",
      "0.0000000000",
    ],
  },
  {
    name: "whole",
    type: "decimal",
    precision: 38,
    scale: 0,
    values: [
      "99999999999999999999999999999999999999",
      "-99999999999999999999999999999999999999",
      "12345678901234567890",
      "0",
    ],
  },
  {
    name: "money",
    type: "decimal",
    precision: 18,
    scale: 3,
    values: ["999999999999999.999", "-0.001", "1234.500", "0.000"],
  },
];

const times: Extremes = [
  { name: "day", type: "date", values: ["0001-01-01", "9999-12-31", "1970-01-01", "2000-02-29", "1582-10-10"] },
  {
    name: "moment",
    type: "timestamp",
    values: [
      "0001-01-01T00:00:00",
      "9999-12-31T23:59:59.999999",
      "1969-12-31T23:59:59.999999",
      "2021-03-28T02:30:00.000001",
      "2016-12-31T23:59:59.1",
    ],
  },
];

/** A decoder left to its default would drop the first character. */
const marked = "\ufeffmarked";

const texts: Extremes = [
  {
    name: "words",
    type: "text",
    values: [
      ...[
        "",
        " ",
        "  both ends  ",
        "NULL",
        "null",
        "\\N",
        "\\.",
        "\\",
        "\\\\",
        "\\n\\t\\x41",
        "'",
        '"',
        '""',
        '"quoted"',
      ],
      ...[
        "a,b;c|d",
        "tab\there",
        "line\nbreak",
        "dos\r\nbreak",
        "\r",
        "\n",
        "\t",
        "\n\n",
        'quote"\nthen,comma',
        "\u0001\u001f\u007f",
      ],
      ...[
        "🦀 crab",
        "漢字かな",
        "e\u0301 é",
        "\u202eright to left",
        marked,
        "\u2028\u2029",
        "=cmd|'/C calc'!A0",
        "%s $1 ? :x",
      ],
      "x".repeat(100_000),
    ],
  },
  { name: "again", type: "text", values: ["", null, "", "null"] },
];

const others: Extremes = [
  {
    name: "tree",
    type: "json",
    values: [
      { a: [1, { b: null, c: [[]] }], "quote\"'\\": "line\nbreak\ttab", "": {} },
      ["text", 0, -1.5, 1e100, true, null, "漢字🦀"],
      {},
      [],
      "only text",
      "",
      0,
      false,
    ],
  },
  {
    name: "uuid",
    type: "uuid",
    values: [
      "00000000-0000-0000-0000-000000000000",
      "ffffffff-ffff-ffff-ffff-ffffffffffff",
      "123e4567-e89b-12d3-a456-426614174000",
    ],
  },
  { name: "flag", type: "boolean", values: [true, false] },
];

function columnsOf(extremes: Extremes): readonly SinkColumn[] {
  const columns = extremes.map(({ values: _, ...column }) => ({ ...column, nullable: true }));
  return [{ name: "id", type: "integer" }, ...columns];
}

function rowsOfExtremes(extremes: Extremes): readonly EngineRow[] {
  const count = Math.max(...extremes.map(({ values }) => values.length)) + 1;
  return Array.from({ length: count }, (_, id): EngineRow => {
    const values = extremes.map((column) => [column.name, column.values[id] ?? null] as const);
    return { id, ...Object.fromEntries(values) };
  });
}

async function roundTrips(scene: SinkScene, extremes: Extremes): Promise<void> {
  const columns = columnsOf(extremes);
  const rows = rowsOfExtremes(extremes);
  const target = makeTarget({ columns });
  await scene.sink.prepare(target);
  await load(scene, target, { claim: await claimLane(scene.sink), rows });
  scene.expect(await rowsOf(scene, target)).toEqual(canonicalRows(columns, rows));
}

async function readsBack(scene: SinkScene): Promise<void> {
  const extremes = [...numbers, ...times, ...texts, ...others];
  const rows = rowsOfExtremes(extremes).filter((row) => row["words"] !== marked);
  await readsRows(scene, columnsOf(extremes), rows);
}

async function readsMark(scene: SinkScene): Promise<void> {
  await readsRows(scene, [{ name: "words", type: "text" }], [{ words: marked }]);
}

/** Through the sink itself, as `why` and the console show rows. */
async function readsRows(scene: SinkScene, columns: readonly SinkColumn[], rows: readonly EngineRow[]): Promise<void> {
  const lineage: SinkColumn = { name: "_millrace", type: "bigint", nullable: true };
  const target = makeTarget({ columns, lineage: true });
  await scene.sink.prepare(target);
  await load(scene, target, {
    claim: await claimLane(scene.sink),
    columns: [...columns, lineage],
    rows: rows.map((row, n) => ({ ...row, _millrace: BigInt(n) })),
  });
  const read = await (await scene.other()).records.rowsByLineage("t", 0n, 1000n, 1000);
  const without = read.map(({ _millrace: _, ...row }) => row);
  scene.expect(canonicalRows(columns, without)).toEqual(canonicalRows(columns, rows));
}

const names = [
  'a "quoted" name',
  "it's",
  "select",
  "with space",
  "CamelCase",
  "semi;colon -- comment",
  "per%cent $1 ? :x \\",
  "naïve_漢字🦀",
  "x".repeat(63),
];

async function keepsNames(scene: SinkScene): Promise<void> {
  for (const table of ['weird "table" name; select', "order", "Ünïcödé 漢字", "t".repeat(63)]) {
    const columns: readonly SinkColumn[] = names.map((name) => ({ name, type: "text", nullable: true }));
    const row = Object.fromEntries(names.map((name, n) => [name, n === 0 ? null : name]));
    const target = makeTarget({ table, columns, pipeline: `into ${table}`.slice(0, 100) });
    const first = await scene.sink.prepare(target);
    await load(scene, target, { claim: await claimLane(scene.sink, "lane '\"", target.pipeline), rows: [row] });
    const again = await scene.sink.prepare(target);
    scene.expect({ table, created: [first.created, again.created] }).toEqual({ table, created: [true, false] });
    scene.expect(await rowsOf(scene, target)).toEqual(canonicalRows(columns, [row]));
  }
}
