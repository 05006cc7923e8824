import { type Column, type Contract, validateContract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import type { EngineConnection } from "../ports/engine.ts";
import type { RecordText } from "../ports/source.ts";
import { describeColumns } from "./described.ts";
import { jsonFields } from "./json-fields.ts";
import { lookAtTypes } from "./look-at-types.ts";
import { textColumn } from "./own-columns.ts";
import { sourceSql } from "./source-sql.ts";
import { TypeEvidence } from "./type-evidence.ts";

/** The records while they are looked at. */
const lookedAt = "millrace_looked_at";

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
    const names = await fieldNamesOf(records, this.#connection);
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

  /** Read once and then looked at some columns at a time. */
  async #lookAt(names: readonly string[], sql: string): Promise<void> {
    await this.#connection.run(`create or replace temporary table ${lookedAt} as ${sql}`);
    const columns = names.flatMap((name, index) => {
      const evidence = this.#columns.get(name);
      return evidence === undefined ? [] : [{ evidence, text: textColumn(index) }];
    });
    try {
      await lookAtTypes(this.#connection, lookedAt, columns);
    } finally {
      await this.#connection.run(`drop table if exists ${lookedAt}`);
    }
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
}

/** The names of the records' fields, in the order in which they are first met. */
export async function fieldNamesOf(records: RecordText, connection: EngineConnection): Promise<readonly string[]> {
  switch (records.kind) {
    case "delimited":
      return records.columns.filter((name) => name !== undefined);
    case "json":
      return jsonFields(records, connection);
    case "query": {
      const described = await describeColumns(connection, records.sql);
      return described.map(({ name }) => name);
    }
  }
}

/** A contract that takes everything as it stands. */
export function allText(names: readonly string[]): Contract {
  return { table: "inferred", columns: Object.fromEntries(names.map((name) => [name, { type: "text" }])), checks: [] };
}
