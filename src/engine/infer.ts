import { type Column, type Contract, validateContract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import type { EngineConnection } from "../ports/engine.ts";
import type { RecordText } from "../ports/source.ts";
import { jsonFields } from "./json-fields.ts";
import { textColumn } from "./own-columns.ts";
import { sourceSql } from "./source-sql.ts";
import { typedSql } from "./typed-sql.ts";

/** A type that a column may have, narrowest first. */
interface Candidate {
  readonly column: Column;
  /** Extra condition on the text, besides that it can be read as the type. */
  readonly only?: (text: string) => string;
}

const noCode = (text: string): string => `not regexp_full_match(${text}, '[+-]?0[0-9]+.*')`;
const fewDigits = (text: string): string =>
  `${noCode(text)} and length(regexp_replace(${text}, '[^0-9]', '', 'g')) <= 15`;

/**
 * Codes with leading zeros are text, so that 007 stays 007. Numbers of more than 15 digits are decimals, which a double
 * would round. Days and months that could be either way round stay text.
 */
const candidates: readonly Candidate[] = [
  { column: { type: "integer" }, only: noCode },
  { column: { type: "bigint" }, only: noCode },
  { column: { type: "double" }, only: fewDigits },
  { column: { type: "decimal", precision: 38, scale: 10 }, only: noCode },
  { column: { type: "boolean" }, only: (text) => `lower(${text}) in ('true', 'false')` },
  { column: { type: "date" } },
  { column: { type: "timestamp" } },
  ...["%d.%m.%Y", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y"].map(
    (format): Candidate => ({ column: { type: "date", format } }),
  ),
  ...["%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S"].map(
    (format): Candidate => ({ column: { type: "timestamp", format } }),
  ),
  { column: { type: "uuid" } },
  { column: { type: "json" }, only: (text) => `regexp_matches(${text}, '^\\s*[{\\[]')` },
];

/** With more columns than this a source is wide, and one query looks at `columnsAtOnce` of them. */
const columnsMany = 16;
const columnsAtOnce = 4;

/** Records of a wide source while they are looked at. */
const lookedAt = "millrace_looked_at";

interface Seen {
  values: number;
  /** How many values each candidate cannot be. */
  readonly misfits: number[];
}

/** Looks at every value of the records it is shown and says which types would hold them all. */
export class ContractInference {
  readonly #connection: EngineConnection;
  readonly #columns = new Map<string, Seen>();
  #records = 0;

  constructor(connection: EngineConnection) {
    this.#connection = connection;
  }

  /** Records looked at so far. */
  get records(): number {
    return this.#records;
  }

  async look(records: RecordText, count: number): Promise<void> {
    const names = await this.#names(records);
    for (const name of names) {
      if (!this.#columns.has(name)) this.#columns.set(name, { values: 0, misfits: candidates.map(() => 0) });
    }
    this.#records += count;
    if (names.length === 0 || count === 0) return;
    const source = await sourceSql(records, validateContract(allText(names)), this.#connection);
    try {
      await this.#lookAt(names, source.sql);
    } finally {
      await source.dispose();
    }
  }

  /** A wide source is read once and then looked at some columns at a time: time to plan a query grows faster than it. */
  async #lookAt(names: readonly string[], sql: string): Promise<void> {
    if (names.length <= columnsMany) return this.#count(names, 0, `(${sql})`);
    await this.#connection.run(`create or replace temporary table ${lookedAt} as ${sql}`);
    try {
      for (let first = 0; first < names.length; first += columnsAtOnce) {
        await this.#count(names.slice(first, first + columnsAtOnce), first, lookedAt);
      }
    } finally {
      await this.#connection.run(`drop table if exists ${lookedAt}`);
    }
  }

  /** Counts the values of the columns `names`, the first of which is the `first`-th of the relation. */
  async #count(names: readonly string[], first: number, relation: string): Promise<void> {
    const sums = names.flatMap((_, index) => columnSums(first + index));
    const [row] = await this.#connection.all(`select ${sums.join(", ")} from ${relation}`);
    names.forEach((name, index) => {
      const seen = this.#columns.get(name);
      if (seen === undefined) return;
      seen.values += Number(row?.[`n${first + index}`]);
      candidates.forEach((_, c) => {
        seen.misfits[c] = (seen.misfits[c] ?? 0) + Number(row?.[`n${first + index}_${c}`]);
      });
    });
  }

  /** The contract of what was seen; all columns nullable but the key, which must be among them. */
  contract(table: string, key: readonly string[]): Contract {
    const unknown = key.find((name) => !this.#columns.has(name));
    if (unknown !== undefined) {
      throw new MillraceError(
        "CONTRACT_INVALID",
        `The key column "${unknown}" is not among the columns of the source`,
        {
          remedy: `Its columns are ${[...this.#columns.keys()].join(", ")}.`,
          at: { table },
        },
      );
    }
    const columns = [...this.#columns].map(([name, seen]): [string, Column] => {
      const column = narrowest(seen);
      return [name, key.includes(name) ? { ...column, key: true } : { ...column, nullable: true }];
    });
    return validateContract({ table, columns: Object.fromEntries(columns), checks: [] });
  }

  async #names(records: RecordText): Promise<readonly string[]> {
    switch (records.kind) {
      case "delimited":
        return records.columns.filter((name) => name !== undefined);
      case "json":
        return jsonFields(records, this.#connection);
      case "query": {
        const rows = await this.#connection.all(`describe ${records.sql}`);
        return rows.map((row) => String(row["column_name"]));
      }
    }
  }
}

function allText(names: readonly string[]): Contract {
  return { table: "inferred", columns: Object.fromEntries(names.map((name) => [name, { type: "text" }])), checks: [] };
}

function columnSums(index: number): string[] {
  const text = textColumn(index);
  const misfits = candidates.map(({ column, only }, c) => {
    const fits = `(${typedSql(column, text)}) is not null${only === undefined ? "" : ` and ${only(text)}`}`;
    return `count(*) filter (where ${text} is not null and not (${fits})) as n${index}_${c}`;
  });
  return [`count(${text}) as n${index}`, ...misfits];
}

function narrowest(seen: Seen): Column {
  if (seen.values === 0) return { type: "text" };
  const fitting = candidates.filter((_, c) => seen.misfits[c] === 0).map(({ column }) => column);
  const first = fitting[0];
  if (first === undefined) return { type: "text" };
  const ambiguous = fitting.filter((column) => column.format?.startsWith("%d/") || column.format?.startsWith("%m/"));
  return first.format !== undefined && ambiguous.length > 1 ? { type: "text" } : first;
}
