import { quoteIdentifier, quoteLiteral } from "../../../core/identifier.ts";
import { MillraceError } from "../../../core/error.ts";
import type { EngineConnection, EngineHost } from "../../../ports/engine.ts";
import type { Rows, SinkColumn } from "../../../ports/rows.ts";
import type { ReadableRows } from "../copied-rows.ts";
import { troubleOf } from "../errors.ts";
import { columnTypeOf } from "../fit.ts";

/**
 * Writes the rows with their numbers to a Parquet file that another process reads. The columns are given the types that
 * they are said to have, all of which Parquet keeps; what SQL made of them, such as HUGEINT, it may not. Throws DISK.
 */
export async function writeRowFile(engine: EngineHost, rows: Rows, path: string): Promise<void> {
  const select = await rows.select();
  const connection = await engine.connect();
  try {
    await copyTo(connection, `select _row, ${rows.columns.map(typed).join(", ")} from (${select})`, path);
  } finally {
    connection.close();
  }
}

function typed(column: SinkColumn): string {
  const name = quoteIdentifier(column.name);
  return `cast(${name} as ${columnTypeOf(column)}) as ${name}`;
}

async function copyTo(connection: EngineConnection, select: string, path: string): Promise<void> {
  try {
    // Compressed lightly: the file is read once and gone, but a whole file's unit may leave many beside one another.
    await connection.run(
      `copy (${select}) to ${quoteLiteral(path)} (format parquet, compression snappy, use_tmp_file false)`,
    );
  } catch (error) {
    if (troubleOf(error) !== "full") throw error;
    throw new MillraceError("DISK", "A batch could not be handed to the service that has the DuckDB file", {
      remedy: "Make room in the temporary folder of the service.",
      cause: error,
    });
  }
}

/** The rows in a file that another process has written, for as long as it is there. */
export function rowsInFile(columns: readonly SinkColumn[], count: number, path: string | undefined): ReadableRows {
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(", ");
  return {
    ...{ columns, count, isOutside: true },
    select: async () => {
      if (path === undefined) throw new TypeError("a batch without rows is not read");
      return `select _row, ${names} from read_parquet(${quoteLiteral(path)})`;
    },
  };
}
