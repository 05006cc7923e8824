import { noSuchRow, type RowKey, type RowSelection } from "../../core/row-selection.ts";
import { countSql, keyStatement, type RowDialect, selectSql } from "../../core/row-sql.ts";
import type { EngineRow } from "../../ports/engine.ts";
import type { Target } from "../../ports/sink.ts";
import { bindNumbered } from "./literals.ts";
import { quoteName } from "./names.ts";
import { queryRows } from "./query.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";

/** A decimal's digits, compared as text, would go through a double and be rounded. */
const bound: RowDialect["bound"] = ({ type, precision = 18, scale = 3 }, placeholder) =>
  type === "decimal" ? `cast(${placeholder} as decimal(${Math.min(65, precision + 2)}, ${scale}))` : placeholder;

const dialect: RowDialect = { quote: quoteName, bound };

export function selectRows(sessions: Sessions, selection: RowSelection): AsyncGenerator<readonly EngineRow[]> {
  const { sql, parameters } = selectSql(selection, quoteName(selection.table), dialect);
  return queryRows(sessions, sql, parameters);
}

export async function countRows(sessions: Sessions, selection: RowSelection): Promise<number> {
  const { sql, parameters } = countSql(selection, quoteName(selection.table), dialect);
  let count = 0;
  for await (const [row] of queryRows(sessions, sql, parameters)) count = Number(row?.["n"]);
  return count;
}

/** The rows of the keys, in their order, locked until the transaction ends. */
export async function lockRows(
  session: Session,
  table: string,
  target: Target,
  keys: readonly RowKey[],
): Promise<(EngineRow | undefined)[]> {
  const names = target.columns.map(({ name }) => quoteName(name)).join(", ");
  const found: (EngineRow | undefined)[] = [];
  for (const key of keys) {
    const { sql, parameters } = keyStatement(`select ${names} from ${table}`, target.columns, key, dialect);
    const { rows } = await session.ask("locking rows", `${bindNumbered(sql, parameters)} for update`);
    found.push(rows[0]);
  }
  return found;
}

export async function removeRows(
  session: Session,
  table: string,
  target: Target,
  keys: readonly RowKey[],
): Promise<void> {
  for (const key of keys) {
    const { sql, parameters } = keyStatement(`delete from ${table}`, target.columns, key, dialect);
    const { count } = await session.ask("removing rows", bindNumbered(sql, parameters));
    if (count === 0) throw noSuchRow(target.table);
  }
}
