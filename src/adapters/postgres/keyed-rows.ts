import { createHash } from "node:crypto";
import type { PoolClient, QueryArrayConfig } from "pg";
import { quoteIdentifier } from "../../core/identifier.ts";
import { limit } from "../../core/limit.ts";
import { noSuchRow, type RowKey, type RowSelection } from "../../core/row-selection.ts";
import { countSql, keyStatement, type RowDialect, type RowStatement, selectSql } from "../../core/row-sql.ts";
import type { EngineRow, EngineValue } from "../../ports/engine.ts";
import type { Target } from "../../ports/sink.ts";
import { ask, type Connections } from "./client.ts";
import { withPurpose } from "./errors.ts";
import { queryRows } from "./query.ts";

/** A parameter takes the type of the column that it is compared with. */
const dialect: RowDialect = { quote: quoteIdentifier, bound: (_, placeholder) => placeholder };
const reading = "reading rows";
const locking = "locking rows";

/** Few rows come by one statement, which is prepared once a connection; many from a cursor, in a transaction that reads. */
export async function* selectRows(
  connections: Connections,
  selection: RowSelection,
): AsyncGenerator<readonly EngineRow[]> {
  const { sql, parameters } = selectSql(selection, quoteIdentifier(selection.table), dialect);
  if ((selection.take ?? Number.POSITIVE_INFINITY) > limit.rowsAtOnce) {
    yield* queryRows(connections, sql, parameters);
    return;
  }
  const { wanted } = selection;
  const query: QueryArrayConfig = { name: statementName(sql), text: sql, values: [...parameters], rowMode: "array" };
  const rows = await connections.use(async (client) => {
    try {
      return (await client.query<EngineValue[]>(query)).rows;
    } catch (error) {
      throw withPurpose(error, reading);
    }
  });
  yield rows.map((row) => Object.fromEntries(wanted.map((name, index) => [name, row[index] ?? null])));
}

export async function countRows(connections: Connections, selection: RowSelection): Promise<number> {
  const { sql, parameters } = countSql(selection, quoteIdentifier(selection.table), dialect);
  const { rows } = await connections.ask<{ n: bigint }>(reading, { text: sql, values: parameters });
  return Number(rows[0]?.n);
}

/** The rows of the keys, in their order, locked until the transaction ends. */
export async function lockRows(
  client: PoolClient,
  table: string,
  target: Target,
  keys: readonly RowKey[],
): Promise<(EngineRow | undefined)[]> {
  const names = target.columns.map(({ name }) => quoteIdentifier(name)).join(", ");
  const found: (EngineRow | undefined)[] = [];
  for (const key of keys) {
    const statement = keyStatement(`select ${names} from ${table}`, target.columns, key, dialect);
    const { rows } = await askKeyed<EngineRow>(client, locking, { ...statement, sql: `${statement.sql} for update` });
    found.push(rows[0]);
  }
  return found;
}

export async function removeRows(
  client: PoolClient,
  table: string,
  target: Target,
  keys: readonly RowKey[],
): Promise<void> {
  for (const key of keys) {
    const statement = keyStatement(`delete from ${table}`, target.columns, key, dialect);
    const { count } = await askKeyed(client, "removing rows", statement);
    if (count === 0) throw noSuchRow(target.table);
  }
}

function askKeyed<Row extends object>(
  client: PoolClient,
  purpose: string,
  { sql: text, parameters: values }: RowStatement,
): ReturnType<typeof ask<Row>> {
  return ask<Row>(client, purpose, { name: statementName(text), text, values });
}

/** Prepared once a connection: one for each table, set of columns and shape of conditions. */
function statementName(text: string): string {
  return `millrace_rows_${createHash("sha256").update(text).digest("base64url")}`;
}
