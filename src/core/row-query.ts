import type { Column, Contract } from "./contract.ts";
import { keyColumns } from "./contract.ts";
import { parameterText, typeWords } from "./insight-value.ts";
import { limit } from "./limit.ts";
import {
  type RowComparison,
  rowComparisons,
  type RowCondition,
  type RowOperand,
  type RowOrder,
  type RowSelection,
} from "./row-selection.ts";

/** A parameter of a question about rows that cannot be understood; `field` is its name. */
export class RowQuestionError extends Error {
  readonly field: string;
  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** What a question about rows may say besides conditions; a column of such a name has none. */
export const rowWords = ["select", "order", "skip", "take", "after", "count", "formulas"] as const;

/** A question about the rows of a table. */
export interface RowQuestion {
  readonly selection: RowSelection;
  readonly take: number;
  /** How many rows there are is wanted instead of the rows. */
  readonly counts: boolean;
  /** Whether texts that a spreadsheet would take for formulas are to be written as they are. */
  readonly keepsFormulas: boolean;
}

export type QueryPair = readonly [name: string, value: string];

/** Rows that are answered with where nobody says how many. */
export const standardTake = 100;

/**
 * Reads the parameters of a query string, in the manner of PostgREST: `column=gte.5`, `column=not.in.(a,b)`,
 * `column=is.null`, `order=name.desc,id`, `select=id,name`, `skip`, `take`, `after`, `count=true`. Throws RowQuestionError.
 */
export function readRowQuestion(contract: Contract, pairs: readonly QueryPair[]): RowQuestion {
  const said = new Map<string, string>();
  const conditions: RowCondition[] = [];
  for (const [name, value] of pairs) {
    if (!isWord(name)) conditions.push(readCondition(contract, name, value));
    else if (!said.has(name)) said.set(name, value);
  }
  if (conditions.length > limit.rowsConditions) throw new RowQuestionError("query", "there are too many conditions");
  const order = readOrder(contract, said.get("order"));
  const after = said.get("after");
  const take = readCount("take", said.get("take"), standardTake, limit.rowsTake);
  const wanted = readColumns(contract, said.get("select"));
  return {
    selection: {
      ...{ table: contract.table, columns: contract.columns, wanted, conditions, order, take },
      skip: readCount("skip", said.get("skip"), 0, Number.MAX_SAFE_INTEGER),
      ...(after === undefined ? {} : { after: readAfter(contract, order, after) }),
    },
    take,
    counts: readFlag("count", said.get("count")),
    keepsFormulas: readFormulas(said.get("formulas")),
  };
}

/** A value of the column, given as text; undefined when it is none. */
export function operandOf(column: Column, text: string): RowOperand | undefined {
  // A text may be as long as the query string is, the other types are short.
  if (column.type === "text") return text.includes("\0") || !text.isWellFormed() ? undefined : text;
  const value = parameterText(column, text);
  if (value === undefined) return undefined;
  if (column.type === "integer" || column.type === "double") return Number(value);
  if (column.type === "bigint") return BigInt(value);
  return column.type === "boolean" ? value === "true" : value;
}

/** What a value of the column is, for people: `must be …`. */
export function operandWords(column: Column): string {
  return column.type === "text" ? "text without NUL" : typeWords(column);
}

function isWord(name: string): name is (typeof rowWords)[number] {
  return (rowWords as readonly string[]).includes(name);
}

function columnNamed({ columns }: Contract, field: string, name: string): Column {
  const column = Object.hasOwn(columns, name) ? columns[name] : undefined;
  if (column !== undefined) return column;
  throw new RowQuestionError(field, `there is no column of that name: columns are ${Object.keys(columns).join(", ")}`);
}

function readCondition(contract: Contract, name: string, text: string): RowCondition {
  const column = columnNamed(contract, name, name);
  const [, not, comparison = "", rest = ""] = /^(not\.)?([a-z]+)\.(.*)$/s.exec(text) ?? [];
  if (!isComparison(comparison)) {
    throw new RowQuestionError(name, `must be ${rowComparisons.map((one) => `${one}.`).join(" ")} and a value`);
  }
  const negated = not !== undefined;
  if (comparison === "is") {
    if (rest === "null") return { column: name, comparison, operands: [], negated };
    throw new RowQuestionError(name, "must be is.null or not.is.null");
  }
  if (column.type === "json") throw new RowQuestionError(name, "is json, which has is.null alone");
  if ((comparison === "like" || comparison === "ilike") && column.type !== "text") {
    throw new RowQuestionError(name, `is ${column.type}, and ${comparison} is for text`);
  }
  const texts = comparison === "in" ? readList(name, rest) : [rest];
  const operands = texts.map((one) => {
    const value = operandOf(column, one);
    if (value === undefined) throw new RowQuestionError(name, `must be ${operandWords(column)}`);
    return value;
  });
  return { column: name, comparison, operands, negated };
}

function isComparison(text: string): text is RowComparison {
  return (rowComparisons as readonly string[]).includes(text);
}

/** `(a,b,"c,d")`; a quote or backslash within quotes stands behind a backslash. */
function readList(name: string, text: string): string[] {
  const item = /(?:"((?:[^"\\]|\\[^])*)"|([^",()]*))(,|\)$)/sy;
  const found: string[] = [];
  if (text.startsWith("(")) item.lastIndex = 1;
  for (let match = text.startsWith("(") ? item.exec(text) : null; match !== null; match = item.exec(text)) {
    found.push(match[1]?.replaceAll(/\\([^])/g, "$1") ?? match[2] ?? "");
    if (match[3] === ")") break;
  }
  if (item.lastIndex === text.length && found.length > 0 && found.length <= limit.rowsConditions) return found;
  throw new RowQuestionError(name, `must be in.(…) with 1 to ${limit.rowsConditions} values parted by commas`);
}

/** The key follows what is asked for, so that no two rows stand in the same place. */
function readOrder(contract: Contract, text: string | undefined): RowOrder[] {
  const asked = (text ?? "").split(",").filter((one) => one !== "");
  const order = asked.map((one): RowOrder => {
    const [, column = "", way] = /^(.*?)(?:\.(asc|desc))?$/s.exec(one) ?? [];
    const { type } = columnNamed(contract, "order", column);
    if (type === "json") throw new RowQuestionError("order", `${column} is json, which has no order`);
    return { column, descending: way === "desc" };
  });
  const columns = order.map(({ column }) => column);
  if (new Set(columns).size !== columns.length) throw new RowQuestionError("order", "a column stands in it twice");
  const rest = keyColumns(contract).filter((name) => !columns.includes(name));
  return [...order, ...rest.map((column) => ({ column, descending: false }))];
}

function readColumns(contract: Contract, text: string | undefined): string[] {
  if (text === undefined) return Object.keys(contract.columns);
  const names = text.split(",");
  for (const name of names) columnNamed(contract, "select", name);
  return [...new Set(names)];
}

/** The values of a row in the columns of the order: the value itself where it is one, else a list of JSON. */
function readAfter(contract: Contract, order: readonly RowOrder[], text: string): (RowOperand | null)[] {
  if (keyColumns(contract).length === 0) throw new RowQuestionError("after", "the table has no key to go on behind");
  const values = order.length === 1 && !text.startsWith("[") ? [text] : listIn(text);
  if (values.length !== order.length) {
    const names = order.map(({ column }) => column).join(", ");
    throw new RowQuestionError("after", `must be a JSON list of the values of ${names}`);
  }
  return order.map(({ column }, index) => {
    const value = values[index];
    if (value === null) return null;
    const described = columnNamed(contract, "after", column);
    const operand = operandOf(described, typeof value === "string" ? value : JSON.stringify(value));
    if (operand === undefined) throw new RowQuestionError("after", `${column} must be ${operandWords(described)}`);
    return operand;
  });
}

function listIn(text: string): readonly unknown[] {
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

function readCount(name: string, text: string | undefined, standard: number, max: number): number {
  if (text === undefined) return standard;
  if (/^\d{1,16}$/.test(text) && Number(text) <= max) return Number(text);
  throw new RowQuestionError(name, `must be a whole number from 0 to ${max}`);
}

function readFlag(name: string, text: string | undefined): boolean {
  if (text === undefined || text === "false") return false;
  if (text === "true") return true;
  throw new RowQuestionError(name, "must be true or false");
}

function readFormulas(text: string | undefined): boolean {
  if (text === undefined || text === "safe") return false;
  if (text === "raw") return true;
  throw new RowQuestionError("formulas", "must be safe or raw");
}
