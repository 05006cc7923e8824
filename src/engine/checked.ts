import type { Contract } from "../core/contract.ts";
import { quoteIdentifier } from "../core/identifier.ts";
import type { Reason } from "../core/reject.ts";
import type { EngineConnection } from "../ports/engine.ts";
import { columnBits, failedRules, maskSql, type Rule, reasonOf, rulesOf } from "./rules.ts";
import { faultColumn, rowColumn, textColumn } from "./own-columns.ts";
import { typedSql } from "./typed-sql.ts";

/** A contract compiled for the engine: one SQL pass yields the typed rows and, for the bad ones, every reason. */
export interface Check {
  readonly contract: Contract;
  readonly rules: readonly Rule[];
  /** Rows of `source` with `rowColumn`, the contract's columns typed, the masks, the fault, and of bad rows the failing texts. */
  checkedSql(source: string): string;
  /** Condition on `checkedSql` that a row is good, and its opposite. */
  readonly goodSql: string;
  readonly badSql: string;
}

const maskColumn = (index: number): string => `_millrace_mask_${index}`;
const textsColumn = "_millrace_texts";

export function compileCheck(contract: Contract): Check {
  const names = Object.keys(contract.columns);
  const columns = Object.values(contract.columns);
  const rules = rulesOf(contract, {
    text: textColumn,
    typed: (index) => quoteIdentifier(names[index] ?? ""),
    check: (sql) => sql,
  });
  const masks = maskSql(rules).map((sql, index) => `${sql} as ${maskColumn(index)}`);
  const typed = columns.map(
    (column, index) => `${typedSql(column, textColumn(index))} as ${quoteIdentifier(names[index] ?? "")}`,
  );
  const texts = names.map((_, index) => failingText(rules, index));
  const bad = [`${faultColumn} is not null`, ...masks.map((_, index) => `${maskColumn(index)} <> 0`)].join(" or ");
  const kept = [rowColumn, ...names.map(quoteIdentifier), ...masks.map((_, index) => maskColumn(index)), faultColumn];
  return {
    contract,
    rules,
    goodSql: `not (${bad})`,
    badSql: `(${bad})`,
    checkedSql: (source) =>
      `select ${kept.join(", ")}, case when ${bad} then [${texts.join(", ")}]::varchar[] end as ${textsColumn} from (select *, ${masks.join(", ")} from (select *, ${typed.join(", ")} from (${source})))`,
  };
}

/** SQL of a column's text where one of its rules fails: only reasons show it. */
function failingText(rules: readonly Rule[], column: number): string {
  const fails = columnBits(rules, column).flatMap((bits, mask) =>
    bits === 0n ? [] : [`${maskColumn(mask)} & ${bits} <> 0`],
  );
  return fails.length === 0 ? "null" : `case when ${fails.join(" or ")} then ${textColumn(column)} end`;
}

/** The reasons of one bad record, by its index among the well-formed records of the batch. */
export interface BadRecord {
  readonly index: number;
  readonly reasons: readonly Reason[];
}

/** Bad records that come as one text, so that a batch without a good one does not become a single huge text. */
const recordsPerText = 16_384;

/** The bad records of `checked` (a table, or the SQL of `checkedSql` in parentheses), in record order. */
export async function badRecords(connection: EngineConnection, check: Check, checked: string): Promise<BadRecord[]> {
  const bad: BadRecord[] = [];
  const rulesOfMasks = failedByMasks(check.rules);
  const names = Object.keys(check.contract.columns);
  for (const { records } of await connection.all(badSql(check, checked))) {
    for (const record of JSON.parse(records as string) as BadValues[]) bad.push(badRecord(record, rulesOfMasks, names));
  }
  return bad.sort((a, b) => a.index - b.index);
}

/** Index, fault, masks parted by spaces, and the columns' failing texts. */
type BadValues = [index: string, fault: string | null, masks: string, ...texts: (string | null)[]];

/** As JSON: a value at a time, the driver would take longer to hand bad records over than the engine to find them. */
function badSql(check: Check, checked: string): string {
  const masks = maskSql(check.rules).map((_, index) => `${maskColumn(index)}::varchar`);
  const head = [`${rowColumn}::varchar`, `${faultColumn}::varchar`, masks.join(" || ' ' || ")].join(", ");
  const record = `to_json([${head}] || ${textsColumn})::varchar`;
  return `select '[' || string_agg(${record}, ',') || ']' as records from ${checked} where ${check.badSql} group by ${rowColumn} // ${recordsPerText}`;
}

function badRecord(
  [index, fault, masks, ...texts]: BadValues,
  rulesOfMasks: (masks: string) => readonly Rule[],
  names: readonly string[],
): BadRecord {
  if (fault !== null) return { index: Number(index), reasons: [{ code: "malformed", message: `the record ${fault}` }] };
  return { index: Number(index), reasons: rulesOfMasks(masks).map((rule) => reasonOf(rule, names, texts)) };
}

/** The rules that masks stand for. Most bad records of a batch share a few masks, which are looked up once. */
function failedByMasks(rules: readonly Rule[]): (masks: string) => readonly Rule[] {
  const known = new Map<string, readonly Rule[]>();
  return (masks) => {
    const found = known.get(masks) ?? failedRules(rules, masks.split(" ").map(BigInt));
    known.set(masks, found);
    return found;
  };
}
