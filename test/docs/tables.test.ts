import { mkdtemp, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Session } from "../../src/runtime/session.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { startPostgres } from "../servers/postgres.ts";
import { describeWith } from "../servers/not-run.ts";
import { readPage, section } from "./markdown.ts";

const page = readPage("docs/tables.md").text;
const tables = ["millrace_checkpoint", "millrace_reject", "millrace_ledger", "millrace_seen"];

/** Columns and types by table: `{ millrace_seen: { id: "text" } }`. */
type Tables = Record<string, Record<string, string>>;

/** What the page says that a sink has; a dash means that it lacks the column. */
function documented(sink: "PostgreSQL" | "MySQL" | "DuckDB" | "files"): Tables {
  return Object.fromEntries(tables.map((table) => [table, documentedColumns(section(page, table), sink)]));
}

function documentedColumns(text: string, sink: string): Record<string, string> {
  const rows = text
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const place = rows[0]?.indexOf(sink) ?? -1;
  const columns = rows
    .slice(2)
    .map((cells): [string, string] => [(cells[0] ?? "").replaceAll("`", ""), cells[place] ?? ""]);
  return Object.fromEntries(columns.filter(([, type]) => type !== "–"));
}

let folder: string;
let session: Session;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-docs-"));
  session = await Session.open({ notice: () => undefined });
});

afterAll(async () => {
  await session.close();
  await rm(folder, { recursive: true, force: true });
});

/** Opens a sink, which makes what Millrace keeps, and asks it for columns. */
async function columnsOf(url: string, sql: string): Promise<Tables> {
  const sink = await session.sink(url);
  await sink.open();
  const found: Tables = {};
  for await (const rows of sink.query(sql)) {
    for (const row of rows) {
      const [table, column, type] = ["table_name", "column_name", "data_type"].map((name) => row[name] as string);
      if (table !== undefined && column !== undefined && type !== undefined) (found[table] ??= {})[column] = type;
    }
  }
  return found;
}

const kept = `table_name in (${tables.map((table) => `'${table}'`).join(", ")})`;

describe("docs/tables.md lists the columns and types", () => {
  it("that the DuckDB sink makes", async () => {
    const sql = `select table_name, column_name, data_type from duckdb_columns() where ${kept}`;
    expect(await columnsOf(`duckdb:${join(folder, "kept.duckdb")}`, sql)).toEqual(documented("DuckDB"));
  });

  it("that the file sink keeps in its catalog", async () => {
    const out = join(folder, "out");
    const sink = await session.sink(`file:${out}`);
    await sink.open();
    const catalog = new DatabaseSync(join(out, "_millrace", "catalog.db"), { readOnly: true });
    try {
      const columns = catalog.prepare("select name, type from pragma_table_info(?)");
      const found = tables.map((table) => [
        table,
        Object.fromEntries(columns.all(table).map(({ name, type }) => [String(name), String(type)])),
      ]);
      expect(Object.fromEntries(found)).toEqual(documented("files"));
    } finally {
      catalog.close();
    }
  });

  it("and gives them one set of names, but for the mark that DuckDB needs", () => {
    const names = (["PostgreSQL", "DuckDB", "files", "MySQL"] as const).map((sink) => {
      const all = Object.entries(documented(sink)).flatMap(([table, columns]) =>
        Object.keys(columns).map((column) => `${table}.${column}`),
      );
      return all.filter((name) => sink !== "DuckDB" || name !== "millrace_checkpoint.mark");
    });
    expect(names[1]).toHaveLength(7 + 15 + 17 + 4);
    expect(names[0]).toEqual(names[1]);
    expect(names[2]).toEqual(names[1]);
    expect(names[3]).toEqual(names[1]);
  });

  it("and names no table twice", () => {
    const headings = Array.from(page.matchAll(/^## (millrace_\w+)$/gm), ([, name]) => name);
    expect(headings).toEqual(tables);
  });
});

describeWith("postgres", "docs/tables.md lists the columns and types", () => {
  it("that the PostgreSQL sink makes", async () => {
    const server = await startPostgres();
    try {
      const sql = `select table_name, column_name, data_type from information_schema.columns where table_schema = 'kept' and ${kept}`;
      expect(await columnsOf(`${server.url}?schema=kept`, sql)).toEqual(documented("PostgreSQL"));
    } finally {
      await server.stop();
    }
  });
});

describeWith("mariadb", "docs/tables.md lists the columns and types", () => {
  it("that the MySQL sink makes, where MariaDB's json is its longtext", { timeout: 120_000 }, async () => {
    const server = await startMariadb();
    try {
      const sql = `select table_name as table_name, column_name as column_name, data_type as data_type from information_schema.columns where table_schema = 'millrace' and ${kept}`;
      const said = JSON.parse(JSON.stringify(documented("MySQL")).replaceAll('"json"', '"longtext"')) as Tables;
      expect(await columnsOf(server.url, sql)).toEqual(said);
    } finally {
      await server.stop();
    }
  });
});
