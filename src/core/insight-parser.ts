import { columnTypes, type ColumnType } from "./contract.ts";
import type { MillraceError } from "./error.ts";
import {
  type Insight,
  type InsightColumn,
  insightMistake,
  type InsightOrder,
  type InsightParameter,
  type InsightType,
} from "./insight.ts";
import { bindParameters, type BoundSql, SqlMistake } from "./insight-sql.ts";
import { parameterText, sqlTypeOf, typeWords } from "./insight-value.ts";
import { limit } from "./limit.ts";

const nameShape = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;

/** Names that a caller says something else with. */
const takenNames: readonly string[] = ["limit", "table"];

/**
 * The insight of a file: comment lines that describe and declare it, then one SELECT. `name` is the file's name without
 * its ending, `file` its path for messages. Throws INSIGHT_INVALID with file and line.
 */
export function parseInsight(text: string, name: string, file: string): Insight {
  if (!nameShape.test(name)) {
    throw insightMistake(
      file,
      undefined,
      `${JSON.stringify(name)} cannot be its name`,
      "Call the file by a letter, then up to 62 letters, digits and underscores, and .sql.",
    );
  }
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n?|\n/);
  const isHead = (line: string): boolean => /^\s*(--|$)/.test(line);
  const found = lines.findIndex((line) => !isHead(line));
  const bodyAt = found < 0 ? lines.length : found;
  const head = new Head(file);
  for (const [index, line] of lines.slice(0, bodyAt).entries()) head.read(line, index + 1);
  const bound = bindBody(lines.slice(bodyAt).join("\n"), head, file, bodyAt);
  return { name, ...head.finish(bound.bindings), ...bound, file };
}

function bindBody(sql: string, head: Head, file: string, lineBefore: number): BoundSql {
  if (sql.includes("\0")) throw insightMistake(file, undefined, "it holds a NUL character", "Take it out of the file.");
  const types = new Map(head.parameters.map((parameter) => [parameter.name, sqlTypeOf(parameter)]));
  try {
    return bindParameters(sql, types);
  } catch (error) {
    if (error instanceof SqlMistake) throw insightMistake(file, lineBefore + error.line, error.message, error.remedy);
    throw error;
  }
}

const parameterForm = "-- parameter NAME TYPE [= DEFAULT][: ABOUT]";
const columnForm = "-- column NAME TYPE[: ABOUT]";
const tableForm = "-- table NAME";
const orderForm = "-- order by COLUMN [desc][, COLUMN [desc]]…";

const typePart = String.raw`(?<type>[a-z]+(?:\(\d+, ?\d+\))?)`;
const parameterLine = new RegExp(
  `^parameter (?<name>\\w+) ${typePart}(?: *= *(?<standard>'(?:[^']|'')*'|.*?))?(?::(?: +(?<about>.*))?)?$`,
);
const columnLine = new RegExp(`^column (?<name>\\w+) ${typePart}(?::(?: +(?<about>.*))?)?$`);
const tableLine = /^table (?<name>\S+)$/;
const orderLine = /^order by (?<columns>\w+(?: desc)?(?:, *\w+(?: desc)?)*)$/;

/** What the comment lines say. */
class Head {
  readonly parameters: InsightParameter[] = [];
  readonly #file: string;
  readonly #about: string[] = [];
  readonly #columns: InsightColumn[] = [];
  readonly #tables: string[] = [];
  readonly #order: InsightOrder[] = [];
  /** Line of each declaration: `parameter year`, `column q1`, …. */
  readonly #lines = new Map<string, number>();

  constructor(file: string) {
    this.#file = file;
  }

  read(raw: string, line: number): void {
    const text = raw.trim().replace(/^--\s*/, "");
    const [, kind] = /^(parameter|column|table|order by)(?= |$)/.exec(text) ?? [];
    if (kind === "parameter") this.#readParameter(this.#parts(parameterLine, text, line, parameterForm), line);
    else if (kind === "column") this.#readColumn(this.#parts(columnLine, text, line, columnForm), line);
    else if (kind === "table") this.#readTable(this.#parts(tableLine, text, line, tableForm), line);
    else if (kind === "order by") this.#readOrder(this.#parts(orderLine, text, line, orderForm), line);
    else if (raw.trim() !== "") this.#about.push(text);
  }

  /** What was declared, looked at as a whole. `used` are the parameters that stand in the SQL. */
  finish(used: readonly string[]): Pick<Insight, "about" | "parameters" | "columns" | "tables" | "order"> {
    const about = this.#about
      .join("\n")
      .trim()
      .replaceAll(/\n\n+|\n/g, (breaks) => (breaks === "\n" ? " " : "\n\n"));
    if (about === "")
      throw this.#mistake(1, "it is not described", "Begin the file with a comment line that says what it answers.");
    if (this.#columns.length === 0)
      throw this.#mistake(
        undefined,
        "it declares no column",
        `Declare those that it answers with, in order: ${columnForm}`,
      );
    for (const { name } of this.parameters) {
      const line = this.#lines.get(`parameter ${name}`);
      if (!used.includes(name))
        throw this.#mistake(
          line,
          `its SQL does not use the parameter ${name}`,
          `Write :${name} where it belongs, outside of quotes, or take the line away.`,
        );
    }
    for (const { column } of this.#order) this.#checkOrder(column);
    return { about, parameters: this.parameters, columns: this.#columns, tables: this.#tables, order: this.#order };
  }

  #readParameter({ name = "", type = "", standard, about = "" }: Parts, line: number): void {
    if (!nameShape.test(name) || takenNames.includes(name)) {
      throw this.#mistake(
        line,
        `${name} cannot be the name of a parameter`,
        `Use a letter, then up to 62 letters, digits and underscores; ${takenNames.join(" and ")} are taken.`,
      );
    }
    this.#declare(`parameter ${name}`, line);
    const typed = this.#type(type, line);
    const required = standard === undefined;
    if (required || standard === "null") this.parameters.push({ name, ...typed, required, about });
    else this.parameters.push({ name, ...typed, required, default: this.#standard(typed, standard, line), about });
  }

  #readColumn({ name = "", type = "", about }: Parts, line: number): void {
    if (!/^[A-Za-z_]\w{0,62}$/.test(name)) {
      throw this.#mistake(
        line,
        `${name} cannot be the name of a column`,
        "Use a letter or underscore, then up to 62 letters, digits and underscores.",
      );
    }
    this.#declare(`column ${name}`, line);
    this.#columns.push({ name, ...this.#type(type, line), ...(about === undefined ? {} : { about }) });
  }

  #readTable({ name = "" }: Parts, line: number): void {
    if (/^millrace_/i.test(name)) {
      throw this.#mistake(
        line,
        `${name} is kept by Millrace, and nothing tells when it changes`,
        "Declare no table then: the insight is answered anew each time.",
      );
    }
    this.#declare(`table ${name}`, line);
    this.#tables.push(name);
  }

  #readOrder({ columns = "" }: Parts, line: number): void {
    this.#declare("order by", line);
    for (const part of columns.split(",")) {
      const [column = "", direction] = part.trim().split(" ");
      this.#declare(`order by ${column}`, line);
      this.#order.push({ column, descending: direction === "desc" });
    }
  }

  #checkOrder(name: string): void {
    const line = this.#lines.get("order by");
    const column = this.#columns.find((one) => one.name === name);
    if (column === undefined)
      throw this.#mistake(
        line,
        `it is ordered by ${name}, which is none of its columns`,
        "Name columns that are declared.",
      );
    if (column.type !== "json" && column.type !== "decimal") return;
    throw this.#mistake(line, `it is ordered by ${name}, which is ${column.type}`, "Order by it in the SQL.");
  }

  #parts(shape: RegExp, text: string, line: number, form: string): Parts {
    const match = shape.exec(text);
    if (match?.groups !== undefined) return match.groups;
    throw this.#mistake(
      line,
      `${JSON.stringify(text.slice(0, 200))} declares nothing`,
      `Write ${form}; a line that describes begins with another word.`,
    );
  }

  /** Names are compared without case, as databases do. */
  #declare(what: string, line: number): void {
    const key = what.startsWith("table ") ? what : what.toLowerCase();
    const [twin] = [...this.#lines].find(([one]) => (one.startsWith("table ") ? one : one.toLowerCase()) === key) ?? [];
    if (twin !== undefined) throw this.#mistake(line, `"${what}" stands twice`, "Keep one of the lines.");
    if (this.#lines.size >= limit.insightDeclarations) {
      throw this.#mistake(
        line,
        "it declares too much",
        `At most ${limit.insightDeclarations} lines may declare something.`,
      );
    }
    this.#lines.set(what, line);
  }

  #type(text: string, line: number): InsightType {
    const [, type = "", precision, scale] = /^(\w+)(?:\((\d+), ?(\d+)\))?$/.exec(text) ?? [];
    const isDecimal = type === "decimal";
    const digits = precision === undefined ? {} : { precision: Number(precision), scale: Number(scale) };
    const fits =
      precision === undefined ||
      (isDecimal && Number(precision) >= 1 && Number(precision) <= 38 && Number(scale) <= Number(precision));
    if ((columnTypes as readonly string[]).includes(type) && fits) return { type: type as ColumnType, ...digits };
    throw this.#mistake(
      line,
      `there is no type ${text}`,
      `Types are ${columnTypes.join(", ")}; a decimal may say its digits: decimal(18, 3).`,
    );
  }

  #standard(type: InsightType, standard: string, line: number): string | number | boolean {
    const given = standard.startsWith("'") ? standard.slice(1, -1).replaceAll("''", "'") : standard;
    const text = parameterText(type, given);
    if (text === undefined)
      throw this.#mistake(
        line,
        `its default ${JSON.stringify(given.slice(0, 200))} is not ${typeWords(type)}`,
        `Write ${parameterForm}`,
      );
    if (type.type === "boolean") return text === "true";
    const isNumber =
      type.type === "integer" ||
      type.type === "double" ||
      (type.type === "bigint" && Number.isSafeInteger(Number(text)));
    return isNumber ? Number(text) : text;
  }

  #mistake(line: number | undefined, what: string, remedy: string): MillraceError {
    return insightMistake(this.#file, line, what, remedy);
  }
}

type Parts = Readonly<Record<string, string | undefined>>;
