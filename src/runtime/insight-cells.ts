import { type Insight, type InsightColumn, insightMistake } from "../core/insight.ts";
import type { EngineRow, EngineValue } from "../ports/engine.ts";

/**
 * The values of a row in the order of the declared columns, each of its declared type, whichever of its own types the
 * place gave it: a sum is a bigint here, a numeric there. Throws INSIGHT_INVALID when the row has other columns than
 * those declared, or a value is of another type.
 */
export function cellsOf(insight: Insight, row: EngineRow): EngineValue[] {
  const { columns } = insight;
  if (Object.keys(row).length !== columns.length) throw otherColumns(insight, Object.keys(row));
  return columns.map((column) => {
    const value = row[column.name];
    if (value === undefined) throw otherColumns(insight, Object.keys(row));
    if (value === null) return null;
    const cell = cellOf(column, value);
    if (cell !== undefined) return cell;
    throw wrongType(insight, column, `a value of it is ${shownType(value)}`);
  });
}

export function otherColumns({ file, columns }: Insight, names: readonly string[]): Error {
  const declared = columns.map(({ name }) => name);
  const remedy = "Declare the columns as the SELECT names them, in its order; quote names with capitals in the SQL.";
  const what = `it answers with the columns ${names.join(", ")}, and declares ${declared.join(", ")}`;
  return insightMistake(file, undefined, what, remedy);
}

export function wrongType({ file }: Insight, { name, type }: InsightColumn, what: string): Error {
  const remedy = "Cast it in the SELECT, or declare the column with the type that it has.";
  return insightMistake(file, undefined, `its column ${name} is declared ${type}: ${what}`, remedy);
}

/** The value as one of the column's type; undefined when it is none. */
function cellOf({ type }: InsightColumn, value: EngineValue): EngineValue | undefined {
  switch (type) {
    case "integer":
    case "bigint":
      return wholeCell(value);
    case "double":
      return doubleCell(value);
    case "decimal":
      return typeof value === "bigint" || typeof value === "number" ? String(value) : textCell(value);
    case "boolean":
      return typeof value === "boolean" ? value : undefined;
    case "text":
    case "uuid":
      return textCell(value);
    case "date":
      return typeof value === "string" && !value.includes("T") ? value : undefined;
    case "timestamp":
      return typeof value === "string" && !/^\d{4}-\d\d-\d\d$/.test(value) ? value : undefined;
    case "json":
      return value;
  }
}

/** A sum of whole numbers may come as a decimal without a fraction. */
function wholeCell(value: EngineValue): EngineValue | undefined {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return Number.isInteger(value) ? value : undefined;
  const [, digits] = typeof value === "string" ? (/^(-?\d+)(?:\.0*)?$/.exec(value) ?? []) : [];
  return digits === undefined ? undefined : BigInt(digits);
}

function doubleCell(value: EngineValue): EngineValue | undefined {
  if (typeof value === "number") return value;
  const isNumber = typeof value === "bigint" || (typeof value === "string" && /^-?[\d.]+$/.test(value));
  return isNumber ? Number(value) : undefined;
}

function textCell(value: EngineValue): EngineValue | undefined {
  return typeof value === "string" ? value : undefined;
}

function shownType(value: EngineValue): string {
  if (value instanceof Uint8Array) return "bytes";
  if (typeof value === "string") return `the text ${JSON.stringify(value.slice(0, 60))}`;
  return typeof value === "object" ? "a list or a struct" : `the ${typeof value} ${String(value)}`;
}
