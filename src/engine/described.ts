import type { Column, ColumnType } from "../core/contract.ts";
import type { EngineConnection } from "../ports/engine.ts";
import { engineType } from "./typed-sql.ts";

const columnTypeByEngineType: Readonly<Record<string, ColumnType>> = {
  TINYINT: "integer",
  SMALLINT: "integer",
  INTEGER: "integer",
  UTINYINT: "integer",
  USMALLINT: "integer",
  UINTEGER: "bigint",
  BIGINT: "bigint",
  FLOAT: "double",
  DOUBLE: "double",
  BOOLEAN: "boolean",
  DATE: "date",
  TIMESTAMP: "timestamp",
  TIMESTAMP_S: "timestamp",
  TIMESTAMP_MS: "timestamp",
  TIMESTAMP_NS: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestamp",
  UUID: "uuid",
  JSON: "json",
};

/** Name and type of a column, as the engine calls them. */
export interface Described {
  readonly name: string;
  readonly type: string;
}

/** The columns of a table or a SELECT. */
export async function describeColumns(connection: EngineConnection, relation: string): Promise<Described[]> {
  const rows = await connection.all(`describe ${relation}`);
  return rows.map((row) => ({ name: row["column_name"] as string, type: row["column_type"] as string }));
}

/**
 * A contract's column for one that SQL yields. The column known before stays when the type is still its own, so that
 * keys and rules survive a step that only hands the column on.
 */
export function columnFromEngineType(type: string, known: Column | undefined): Column {
  if (known !== undefined && engineType(known) === type) return known;
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(type);
  if (decimal !== null) {
    return { type: "decimal", precision: Number(decimal[1]), scale: Number(decimal[2]), nullable: true };
  }
  if (type === "HUGEINT" || type === "UBIGINT" || type === "UHUGEINT") {
    return { type: "decimal", precision: 38, scale: 0, nullable: true };
  }
  if (/^(STRUCT|MAP|UNION)|\[\d*\]$/.test(type)) return { type: "json", nullable: true };
  return { type: columnTypeByEngineType[type] ?? "text", nullable: true };
}
