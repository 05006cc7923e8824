import { readFile } from "node:fs/promises";
import { quoteIdentifier, quoteLiteral } from "../core/identifier.ts";
import type { EngineConnection, EngineRow } from "../ports/engine.ts";
import type { Rows, SinkColumn } from "../ports/rows.ts";
import { csvRows } from "./csv-rows.ts";
import { scratchFile } from "./scratch.ts";

/** Rows that lie in the engine. */
export interface TableRowsSource {
  readonly connection: EngineConnection;
  /** SQL of a SELECT that yields `columns` by name, in row order; called when first needed. */
  readonly sql: () => Promise<string>;
  readonly columns: readonly SinkColumn[];
  readonly count: number;
  readonly recordOf: (row: number) => number;
}

/** A dialect without options to get wrong: comma, quotes where needed, null as the unquoted empty field. */
const delimiter = ",";

export function tableRows(source: TableRowsSource): Rows {
  const { connection, columns } = source;
  return {
    columns,
    count: source.count,
    recordOf: source.recordOf,
    csv: async () => csvRows(await exportCsv(connection, await source.sql(), columns), delimiter),
    select: async () => `select row_number() over () - 1 as _row, * from (${await source.sql()})`,
    objects: () => objectsOf(connection, source.sql),
    write: async (path, format) => {
      await connection.run(`copy (${await source.sql()}) to ${quoteLiteral(path)} (${writeOptions[format]})`);
    },
  };
}

const writeOptions = {
  parquet: "format parquet, compression zstd",
  csv: "format csv, header true",
  ndjson: "format json",
} as const;

async function* objectsOf(
  connection: EngineConnection,
  sql: () => Promise<string>,
): AsyncIterable<readonly EngineRow[]> {
  yield* connection.stream(await sql());
}

async function exportCsv(
  connection: EngineConnection,
  sql: string,
  columns: readonly SinkColumn[],
): Promise<Uint8Array> {
  const scratch = await scratchFile(new Uint8Array());
  try {
    const text = columns.map((column) => exported(column)).join(", ");
    // A lone text column could read `\.`, which ends a COPY unless it is quoted.
    const force = columns.length === 1 ? ", force_quote *" : "";
    await connection.run(
      `copy (select ${text} from (${sql})) to ${quoteLiteral(scratch.path)} (format csv, header false, delimiter ${quoteLiteral(delimiter)}, use_tmp_file false${force})`,
    );
    return await readFile(scratch.path);
  } finally {
    await scratch.dispose();
  }
}

function exported(column: SinkColumn): string {
  const name = quoteIdentifier(column.name);
  return column.type === "json" ? `cast(${name} as varchar) as ${name}` : name;
}
