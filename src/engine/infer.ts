import { type Column, type Contract, validateContract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import type { EngineConnection, EngineRow } from "../ports/engine.ts";
import type { RecordText } from "../ports/source.ts";
import { describeColumns } from "./described.ts";
import { jsonFields } from "./json-fields.ts";
import { textColumn } from "./own-columns.ts";
import { sourceSql } from "./source-sql.ts";
import { TypeEvidence } from "./type-evidence.ts";

/** Columns that one query looks at. */
const columnsAtOnce = 4;

/** The records while they are looked at. */
const lookedAt = "millrace_looked_at";

/** Records that are looked at first: what they rule out, and that is most, is not looked for in the others. */
const sampleRecords = 1000;

/** Looks at every value of the records it is shown and says which types would hold them all. */
export class ContractInference {
  readonly #connection: EngineConnection;
  readonly #columns = new Map<string, TypeEvidence>();
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
      if (!this.#columns.has(name)) this.#columns.set(name, new TypeEvidence());
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

  /** Read once and then looked at some columns at a time: time to plan a query grows faster than its columns. */
  async #lookAt(names: readonly string[], sql: string): Promise<void> {
    await this.#connection.run(`create or replace temporary table ${lookedAt} as ${sql}`);
    try {
      for (let first = 0; first < names.length; first += columnsAtOnce) {
        const some = names.slice(first, first + columnsAtOnce);
        const sample = `(select * from ${lookedAt} limit ${sampleRecords})`;
        await this.#count(some, first, sample, (evidence, counts, name) => evidence.rule(counts, name));
        await this.#count(some, first, lookedAt, (evidence, counts, name) => evidence.take(counts, name));
      }
    } finally {
      await this.#connection.run(`drop table if exists ${lookedAt}`);
    }
  }

  /** Counts what the columns `names`, the first of which is the `first`-th of the relation, have shown. */
  async #count(
    names: readonly string[],
    first: number,
    relation: string,
    tell: (evidence: TypeEvidence, counts: EngineRow, name: string) => void,
  ): Promise<void> {
    const columns = names.flatMap((name, index) => {
      const evidence = this.#columns.get(name);
      return evidence === undefined ? [] : [{ evidence, text: textColumn(first + index), name: `n${index}` }];
    });
    const kinds = columns.flatMap(({ evidence, text, name }) => evidence.kindSql(text, name));
    const counts = columns.flatMap(({ evidence, text, name }) => evidence.countsSql(text, name));
    const [row] = await this.#connection.all(
      `select ${counts.join(", ")} from (select ${["*", ...kinds].join(", ")} from ${relation})`,
    );
    for (const { evidence, name } of columns) tell(evidence, row ?? {}, name);
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
    const columns = [...this.#columns].map(([name, { column }]): [string, Column] => {
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
        const described = await describeColumns(this.#connection, records.sql);
        return described.map(({ name }) => name);
      }
    }
  }
}

function allText(names: readonly string[]): Contract {
  return { table: "inferred", columns: Object.fromEntries(names.map((name) => [name, { type: "text" }])), checks: [] };
}
