import type { Column, Contract } from "../core/contract.ts";
import { quoteLiteral } from "../core/identifier.ts";
import { limit } from "../core/limit.ts";
import { type Reason, type ReasonCode, shortenValue } from "../core/reject.ts";
import { engineType } from "./typed-sql.ts";

/** One thing that can be wrong with a record. `failsSql` is true for a record at fault; NULL counts as not at fault. */
export interface Rule {
  readonly code: ReasonCode;
  /** Index of the contract's column; undefined for the record as a whole. */
  readonly column: number | undefined;
  readonly failsSql: string;
  /** What is wrong, after the value: `is not an integer`. */
  readonly says: string;
}

/** How the SQL of the rules names things: `text(i)` the column's text, `typed(i)` its cast value. */
export interface RuleNames {
  text(column: number): string;
  typed(column: number): string;
  /** A check's SQL with the contract's own column names made to mean the typed values. */
  check(sql: string): string;
}

/** All rules of a contract, in the order in which reasons are given. */
export function rulesOf(contract: Contract, names: RuleNames): Rule[] {
  const rules = Object.entries(contract.columns).flatMap(([, column], index) => columnRules(column, index, names));
  for (const check of contract.checks) {
    rules.push({
      code: "check",
      column: undefined,
      failsSql: `not (${names.check(check.sql)})`,
      says: `the check "${check.name}" does not hold: ${check.sql}`,
    });
  }
  return rules;
}

function columnRules(column: Column, index: number, names: RuleNames): Rule[] {
  const text = names.text(index);
  const typed = names.typed(index);
  const rule = (code: ReasonCode, failsSql: string, says: string): Rule => ({ code, column: index, failsSql, says });
  const rules: Rule[] = [];
  if (column.nullable !== true) rules.push(rule("missing", `${text} is null`, "is missing"));
  if (column.type !== "text") rules.push(rule("type", `${text} is not null and ${typed} is null`, typeSays(column)));
  if (column.min !== undefined)
    rules.push(rule("min", `${typed} < ${bound(column, column.min)}`, `is below ${column.min}`));
  if (column.max !== undefined)
    rules.push(rule("max", `${typed} > ${bound(column, column.max)}`, `is above ${column.max}`));
  if (column.minLength !== undefined) {
    rules.push(
      rule("minLength", `length(${typed}) < ${column.minLength}`, `is shorter than ${column.minLength} characters`),
    );
  }
  if (column.maxLength !== undefined) {
    rules.push(
      rule("maxLength", `length(${typed}) > ${column.maxLength}`, `is longer than ${column.maxLength} characters`),
    );
  }
  if (column.pattern !== undefined) {
    rules.push(
      rule(
        "pattern",
        `not regexp_full_match(${typed}, ${quoteLiteral(column.pattern)})`,
        `does not match ${column.pattern}`,
      ),
    );
  }
  if (column.oneOf !== undefined) {
    const allowed = column.oneOf.map((value) => bound(column, value)).join(", ");
    rules.push(rule("oneOf", `${typed} not in (${allowed})`, `is not one of ${column.oneOf.join(", ")}`));
  }
  return rules;
}

function bound(column: Column, value: string | number | boolean): string {
  return `cast(${quoteLiteral(String(value))} as ${engineType(column)})`;
}

const typeWords: Readonly<Record<Column["type"], string>> = {
  integer: "an integer of 32 bits",
  bigint: "an integer of 64 bits",
  double: "a finite number",
  decimal: "a decimal number",
  boolean: "true or false",
  text: "text",
  date: "a date such as 2021-11-07",
  timestamp: "a timestamp such as 2021-11-07T02:48:42Z",
  uuid: "a UUID",
  json: "JSON",
};

function typeSays(column: Column): string {
  if (column.format !== undefined) return `is not a ${column.type} of the form ${column.format}`;
  if (column.type === "decimal") {
    return `is not a decimal number of ${column.precision ?? 18} digits with at most ${column.scale ?? 3} after the point`;
  }
  return `is not ${typeWords[column.type]}`;
}

/** Rules fit this many to a mask: bits of a bigint that stay clear of the sign. */
const maskBits = 62;

/** SQL of the masks: bigints whose bit k is set when rule `first + k` fails. At least one mask, always. */
export function maskSql(rules: readonly Rule[]): string[] {
  const masks: string[] = [];
  for (let first = 0; first === 0 || first < rules.length; first += maskBits) {
    const bits = rules
      .slice(first, first + maskBits)
      .map((rule, bit) => `case when ${rule.failsSql} then ${2n ** BigInt(bit)} else 0 end`);
    masks.push(bits.length === 0 ? "0::bigint" : `(${bits.join(" | ")})::bigint`);
  }
  return masks;
}

/** Bits of a column's rules, for each of the masks. */
export function columnBits(rules: readonly Rule[], column: number): bigint[] {
  const bits = Array.from({ length: Math.max(1, Math.ceil(rules.length / maskBits)) }, () => 0n);
  rules.forEach((rule, index) => {
    const mask = Math.floor(index / maskBits);
    if (rule.column === column) bits[mask] = (bits[mask] ?? 0n) | (2n ** BigInt(index % maskBits));
  });
  return bits;
}

/** The rules whose bits are set. */
export function failedRules(rules: readonly Rule[], masks: readonly bigint[]): Rule[] {
  return rules.filter((_, index) => {
    const mask = masks[Math.floor(index / maskBits)] ?? 0n;
    return (mask >> BigInt(index % maskBits)) % 2n === 1n;
  });
}

/** The reason that a failed rule gives for a record with these texts. */
export function reasonOf(rule: Rule, columnNames: readonly string[], texts: readonly (string | null)[]): Reason {
  if (rule.column === undefined) return { code: rule.code, message: rule.says };
  const column = columnNames[rule.column] ?? "";
  const value = texts[rule.column] ?? null;
  if (value === null) return { code: rule.code, column, message: `${column} ${rule.says}` };
  const shown = shortenValue(value, limit.reasonValueChars);
  return { code: rule.code, column, value: shown, message: `${column}: ${JSON.stringify(shown)} ${rule.says}` };
}
