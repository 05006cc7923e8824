import { quoteIdentifier } from "../../core/identifier.ts";
import { sqlTypeOf } from "../../core/insight-value.ts";
import { noSuchRow, type RowKey, type RowSelection } from "../../core/row-selection.ts";
import { countSql, keyStatement, type RowDialect, type RowStatement, selectSql } from "../../core/row-sql.ts";
import type { EngineConnection, EngineRow } from "../../ports/engine.ts";
import type { Target } from "../../ports/sink.ts";
import { numberCell } from "./cells.ts";

/** The engine takes a parameter for what it is bound as, and compares no text with a number. */
const dialect: RowDialect = {
  quote: quoteIdentifier,
  bound: (column, placeholder) => `cast(${placeholder} as ${sqlTypeOf(column)})`,
};

export function selection(selected: RowSelection): RowStatement {
  return selectSql(selected, quoteIdentifier(selected.table), dialect);
}

export function counting(selected: RowSelection): RowStatement {
  return countSql(selected, quoteIdentifier(selected.table), dialect);
}

export function countIn(rows: readonly EngineRow[]): number {
  return numberCell(rows[0] ?? {}, "n");
}

/** The rows of the keys, in their order. Units write one at a time: nobody changes them until this one ends. */
export async function readKeyed(
  connection: EngineConnection,
  table: string,
  target: Target,
  keys: readonly RowKey[],
): Promise<(EngineRow | undefined)[]> {
  const names = target.columns.map(({ name }) => quoteIdentifier(name)).join(", ");
  const found: (EngineRow | undefined)[] = [];
  for (const key of keys) {
    const { sql, parameters } = keyStatement(`select ${names} from ${table}`, target.columns, key, dialect);
    const [row] = await connection.all(sql, parameters);
    found.push(row);
  }
  return found;
}

export async function removeKeyed(
  connection: EngineConnection,
  table: string,
  target: Target,
  keys: readonly RowKey[],
): Promise<void> {
  for (const key of keys) {
    const { sql, parameters } = keyStatement(`delete from ${table}`, target.columns, key, dialect);
    if ((await connection.run(sql, parameters)) === 0) throw noSuchRow(target.table);
  }
}
