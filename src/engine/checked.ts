import type { Contract } from "../core/contract.ts";
import { quoteIdentifier } from "../core/identifier.ts";
import type { Reason } from "../core/reject.ts";
import type { EngineConnection } from "../ports/engine.ts";
import { failedRules, maskSql, type Rule, reasonOf, rulesOf } from "./rules.ts";
import { faultColumn, rowColumn, textColumn } from "./own-columns.ts";
import { typedSql } from "./typed-sql.ts";

/** A contract compiled for the engine: one SQL pass yields the typed rows and, for the bad ones, every reason. */
export interface Check {
  readonly contract: Contract;
  readonly rules: readonly Rule[];
  /** Rows of `source` with `rowColumn`, the contract's columns typed, the masks, the fault, and the texts of bad rows. */
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
  const texts = names.map((_, index) => textColumn(index));
  const bad = [`${faultColumn} is not null`, ...masks.map((_, index) => `${maskColumn(index)} <> 0`)].join(" or ");
  const kept = [rowColumn, ...names.map(quoteIdentifier), ...masks.map((_, index) => maskColumn(index)), faultColumn];
  return {
    contract,
    rules,
    goodSql: `not (${bad})`,
    badSql: `(${bad})`,
    checkedSql: (source) =>
      `select ${kept.join(", ")}, case when ${bad} then [${texts.join(", ")}] end as ${textsColumn} from (select *, ${masks.join(", ")} from (select *, ${typed.join(", ")} from (${source})))`,
  };
}

/** The reasons of one bad record, by its index among the well-formed records of the batch. */
export interface BadRecord {
  readonly index: number;
  readonly reasons: readonly Reason[];
}

/** The bad records of `checked` (a table, or the SQL of `checkedSql` in parentheses), in record order. */
export async function badRecords(connection: EngineConnection, check: Check, checked: string): Promise<BadRecord[]> {
  const names = Object.keys(check.contract.columns);
  const masks = maskSql(check.rules).map((_, index) => maskColumn(index));
  const bad: BadRecord[] = [];
  const sql = `select ${[rowColumn, faultColumn, textsColumn, ...masks].join(", ")} from ${checked} where ${check.badSql}`;
  for await (const piece of connection.stream(sql)) {
    for (const row of piece) {
      const texts = (row[textsColumn] ?? []) as readonly (string | null)[];
      const fault = row[faultColumn];
      const reasons =
        typeof fault === "string"
          ? [{ code: "malformed" as const, message: `the record ${fault}` }]
          : failedRules(
              check.rules,
              masks.map((mask) => row[mask] as bigint),
            ).map((rule) => reasonOf(rule, names, texts));
      bad.push({ index: Number(row[rowColumn]), reasons });
    }
  }
  return bad.sort((a, b) => a.index - b.index);
}
