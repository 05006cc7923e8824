import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Column, type ColumnType, columnTypes } from "../../src/core/contract.ts";
import { quoteLiteral } from "../../src/core/identifier.ts";
import { Engine } from "../../src/engine/engine.ts";
import { engineType, typedSql } from "../../src/engine/typed-sql.ts";
import { columnTypeOf } from "../../src/adapters/duckdb/fit.ts";
import { columnType as mysqlType } from "../../src/adapters/mysql/ddl.ts";
import { columnType } from "../../src/adapters/postgres/ddl.ts";
import { codesInTables, readPage, section } from "./markdown.ts";

const { text } = readPage("docs/contracts.md");

interface Row {
  readonly column: Column;
  readonly takes: readonly string[];
  readonly refuses: readonly string[];
}

const codes = (cell: string): string[] => Array.from(cell.matchAll(/`([^`]*)`/g), ([, code = ""]) => code);

/** The strictness table: `decimal(6,2)` is a type with its size, `%…` a format, and `…Z` goes on where a time ends. */
const rows: readonly Row[] = section(text, "What each type takes")
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => {
    const [type = "", takes = "", refuses = ""] = line.split("|").slice(1, -1);
    const [, name = "", precision, scale] = /`(\w+)(?:\((\d+),(\d+)\))?`/.exec(type) ?? [];
    const format = codes(takes).find((code) => code.startsWith("%"));
    return {
      column: {
        type: name as ColumnType,
        ...(precision === undefined ? {} : { precision: Number(precision), scale: Number(scale) }),
        ...(format === undefined ? {} : { format }),
      },
      takes: codes(takes)
        .filter((code) => code !== format)
        .map((code) => code.replace("…", "2021-11-07T02:48:42")),
      refuses: codes(refuses),
    };
  });

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open({ memoryBytes: 128 * 2 ** 20, threads: 1 });
});

afterAll(() => engine.close());

async function taken(column: Column, values: readonly string[]): Promise<string[]> {
  if (values.length === 0) return [];
  const connection = await engine.connect();
  try {
    const given = values.map((value) => `(${quoteLiteral(value)})`).join(", ");
    const sql = `select v from (values ${given}) t(v) where (${typedSql(column, "v")}) is not null`;
    return (await connection.all(sql)).map((row) => row["v"] as string);
  } finally {
    connection.close();
  }
}

describe("docs/contracts.md", () => {
  it.each(rows.map((row) => [`${row.column.type} ${row.column.format ?? ""}`.trim(), row] as const))(
    "says what %s takes and refuses",
    async (_, { column, takes, refuses }) => {
      expect(await taken(column, takes)).toEqual(takes);
      expect(await taken(column, refuses)).toEqual([]);
    },
  );

  it("says it for every type, with examples where there is something to refuse", () => {
    expect([...new Set(rows.map(({ column }) => column.type))]).toEqual([...columnTypes]);
    const bare = rows.filter(({ takes, refuses }) => takes.length === 0 || refuses.length === 0);
    expect(bare.map(({ column }) => column.type)).toEqual(["text", "json"]);
  });

  it("names each type's type in the sinks", () => {
    const cells = section(text, "Columns")
      .split("\n")
      .map((line) => codes(line))
      .filter((found) => found.length === 4 && columnTypes.some((type) => type === found[0]));
    const sized = (type: string): string => type.replace("18,3", "p,s");
    const inMysql = (type: ColumnType): string => mysqlType({ type }).replace(/ character set .*/, "");
    const made = columnTypes.map((type) => [
      type,
      ...[columnType({ type }), inMysql(type), columnTypeOf({ type })].map(sized),
    ]);
    expect(cells.slice(-columnTypes.length)).toEqual(made);
    expect(columnTypes.map((type) => engineType({ type }))).toEqual(columnTypes.map((type) => columnTypeOf({ type })));
  });

  it("lists every rule once", () => {
    const rules = codesInTables(section(text, "Rules"));
    const known = ["key", "nullable", "min", "max", "minLength", "maxLength", "pattern", "oneOf", "checks"];
    expect(rules).toEqual(known);
  });
});
