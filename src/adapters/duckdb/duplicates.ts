import { quoteIdentifier } from "../../core/identifier.ts";
import { numberCell, textCell } from "./cells.ts";
import { chosenRows, excludedParameter, type Insertion } from "./insert-rows.ts";
import { collect, isGiven, onlyColumn, type Refusals, shownKey } from "./refusals.ts";
import type { TableFacts } from "./table-facts.ts";
import type { ReadableRows } from "./copied-rows.ts";

/**
 * Rows whose key, or other unique columns, are in the table already or stand earlier in the batch: of equal ones the
 * first stays. Runs in the unit's transaction, which sees what it wrote.
 *
 * Not `on conflict do nothing`: DuckDB then takes two nulls of a unique column for equal, and drops good rows.
 */
export async function findDuplicates(insertion: Insertion, facts: TableFacts, refusals: Refusals): Promise<void> {
  const uniques = facts.uniques.filter((columns) => isGiven(insertion.rows, columns));
  for (const columns of uniques) await findInTable(insertion, columns, refusals);
  if (uniques.length > 0) await findInBatch(insertion, uniques, refusals);
}

async function findInTable(insertion: Insertion, columns: readonly string[], refusals: Refusals): Promise<void> {
  const excluded = new Set(refusals.keys());
  const given = columns.map((name) => `r.${quoteIdentifier(name)}`);
  const equal = columns.map((name) => `t.${quoteIdentifier(name)} = r.${quoteIdentifier(name)}`).join(" and ");
  const sql = `select r._row, ${shownKey(given)} as value from (${await chosenRows(insertion.rows, excluded)}) r
    where exists (select 1 from ${insertion.table} t where ${equal})`;
  await collect(insertion.connection, sql, excludedParameter(excluded), refusals, (value = "") => ({
    code: "duplicate",
    ...onlyColumn(columns),
    value,
    message: `(${columns.join(", ")}) = (${value}) is in the table already`,
  }));
}

interface Repeat {
  readonly row: number;
  readonly columns: readonly string[];
  /** The same for equal values of the same columns. */
  readonly group: string;
  readonly value: string;
}

/** Rows are taken in order, each unless one taken before it holds one of its values: as the table itself would. */
async function findInBatch(
  insertion: Insertion,
  uniques: readonly (readonly string[])[],
  refusals: Refusals,
): Promise<void> {
  const excluded = new Set(refusals.keys());
  const repeats = new Map<number, Repeat[]>();
  for (const [index, columns] of uniques.entries()) {
    for (const repeat of await readRepeats(insertion, columns, index, excluded)) {
      repeats.set(repeat.row, [...(repeats.get(repeat.row) ?? []), repeat]);
    }
  }
  const taken = new Set<string>();
  for (const [row, mine] of [...repeats].toSorted(([a], [b]) => a - b)) {
    const lost = mine.find(({ group }) => taken.has(group));
    if (lost === undefined) for (const { group } of mine) taken.add(group);
    else refusals.set(row, reasonOf(lost));
  }
}

function reasonOf({ columns, value }: Repeat) {
  const message = `(${columns.join(", ")}) = (${value}) stands earlier in the batch`;
  return { code: "duplicate" as const, ...onlyColumn(columns), value, message };
}

/** Rows whose values of these columns stand in the batch more than once. */
async function readRepeats(
  insertion: Insertion,
  columns: readonly string[],
  index: number,
  excluded: ReadonlySet<number>,
): Promise<Repeat[]> {
  const sql = repeatsOf(await chosen(insertion.rows, columns, excluded), columns);
  const repeats: Repeat[] = [];
  for await (const rows of insertion.connection.stream(sql, excludedParameter(excluded))) {
    for (const row of rows) {
      const group = `${index}:${numberCell(row, "_group")}`;
      repeats.push({ row: numberCell(row, "_row"), columns, group, value: textCell(row, "value") });
    }
  }
  return repeats;
}

function repeatsOf(rows: string, columns: readonly string[]): string {
  const names = columns.map(quoteIdentifier);
  const equal = names.map((name) => `g.${name} = r.${name}`).join(" and ");
  return `with r as materialized (${rows}),
    g as (select ${names.join(", ")}, row_number() over () as _group from r group by ${names.join(", ")} having count(*) > 1)
    select r._row, g._group, ${shownKey(names.map((name) => `r.${name}`))} as value from r join g on ${equal}`;
}

async function chosen(rows: ReadableRows, columns: readonly string[], excluded: ReadonlySet<number>): Promise<string> {
  const names = columns.map(quoteIdentifier);
  const present = names.map((name) => `${name} is not null`).join(" and ");
  return `select _row, ${names.join(", ")} from (${await chosenRows(rows, excluded)}) where ${present}`;
}
