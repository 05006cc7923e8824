import { MillraceError } from "../../core/error.ts";
import { quoteIdentifier } from "../../core/identifier.ts";
import { isJsonObject } from "../../core/json.ts";
import type { EngineConnection, EngineParameter, EngineRow } from "../../ports/engine.ts";
import { textCell } from "./cells.ts";
import type { Names } from "./location.ts";

/**
 * Runs a query on the file's tables, which it names without a prefix, and gives its rows in pieces. Writes are refused
 * twice over: only a statement that reads is let through, and its transaction is read-only.
 */
export async function* readQuery(
  connection: EngineConnection,
  names: Names,
  sql: string,
  parameters: readonly EngineParameter[] = [],
): AsyncIterable<readonly EngineRow[]> {
  await checkReads(connection, sql);
  await connection.run(`use ${quoteIdentifier(names.database)}.${quoteIdentifier(names.schema)}`);
  await connection.run("begin transaction read only");
  try {
    yield* connection.stream(sql, parameters);
  } catch (error) {
    if (error instanceof Error && /transaction is aborted/i.test(error.message)) {
      await tellFailure(connection, sql, parameters);
    }
    throw error;
  }
}

/** A failure behind the first rows is known by its transaction alone. Done once more without rows, the query tells it. */
async function tellFailure(
  connection: EngineConnection,
  sql: string,
  parameters: readonly EngineParameter[],
): Promise<void> {
  await connection.run("rollback");
  await connection.run("begin transaction read only");
  await connection.run(`explain analyze ${sql}`, parameters);
}

/** DuckDB serialises nothing but statements that read: SELECT, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE. */
async function checkReads(connection: EngineConnection, sql: string): Promise<void> {
  const [row] = await connection.all("select cast(json_serialize_sql(cast($1 as varchar)) as varchar) as parsed", [
    sql,
  ]);
  const parsed: unknown = JSON.parse(textCell(row ?? {}, "parsed"));
  const {
    error,
    error_type: kind,
    error_message: message,
    statements,
  } = (isJsonObject(parsed) ? parsed : {}) as {
    readonly error?: unknown;
    readonly error_type?: unknown;
    readonly error_message?: unknown;
    readonly statements?: unknown;
  };
  if (error === true && kind === "parser") {
    throw new MillraceError("SINK_REFUSED", `The query has a mistake: ${String(message)}`, {
      remedy: "Write it in the SQL of DuckDB.",
    });
  }
  if (error !== true && Array.isArray(statements) && statements.length === 1) return;
  throw new MillraceError("SINK_REFUSED", "A query is one statement that reads", {
    remedy: "Write a SELECT; to change the file, open it with the duckdb command line.",
  });
}
