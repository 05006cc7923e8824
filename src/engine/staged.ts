import type { Column } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { quoteIdentifier, quoteLiteral } from "../core/identifier.ts";
import { limit } from "../core/limit.ts";
import type { EngineConnection } from "../ports/engine.ts";
import type { ReadColumn } from "../ports/relation.ts";
import type { RecordText } from "../ports/source.ts";
import { columnFromEngineType, describeColumns } from "./described.ts";
import type { Engine } from "./engine.ts";
import { allText, fieldNamesOf } from "./infer.ts";
import { lookAtTypes } from "./look-at-types.ts";
import { textColumn } from "./own-columns.ts";
import { sourceSql } from "./source-sql.ts";
import { leadingZero, safeDoubleChars, TypeEvidence } from "./type-evidence.ts";
import { typedSql } from "./typed-sql.ts";

/** Rows that types are guessed from: so many pieces of so many rows each, spread over all of them. */
const samplePieces = 10;
const samplePieceRows = 200;

/**
 * All records of some files in one table of the engine, every value as its text: what a profile is made of. The engine
 * spills it when it grows beyond its share of the memory budget.
 */
export class StagedRecords {
  readonly table: string;
  readonly connection: EngineConnection;
  readonly #names: string[] = [];
  #count = 0;

  private constructor(connection: EngineConnection, table: string) {
    this.connection = connection;
    this.table = table;
  }

  static async open(engine: Engine): Promise<StagedRecords> {
    return new StagedRecords(await engine.connect(), engine.tableName("staged"));
  }

  get count(): number {
    return this.#count;
  }

  async add(records: RecordText, count: number): Promise<void> {
    const names = await fieldNamesOf(records, this.connection);
    await this.#make(names);
    if (names.length === 0 || count === 0) return;
    const source = await sourceSql(records, allText(names), this.connection);
    try {
      const places = names.map((name) => this.#text(name)).join(", ");
      const texts = names.map((_, index) => textColumn(index)).join(", ");
      await this.connection.run(`insert into ${this.table} (${places}) select ${texts} from (${source.sql})`);
    } finally {
      await source.dispose();
    }
    this.#count += count;
  }

  /** The columns by what a sample shows of their types: `misfits` of a column tells whether that holds for all rows. */
  async guess(): Promise<ReadColumn[]> {
    const looked = this.#looked(this.#names);
    if (this.#count > 0)
      await lookAtTypes(this.connection, `(select * from ${this.table} where ${this.#sample()})`, looked);
    return looked.map(({ name, text, evidence }) =>
      readColumn(name, text, evidence.column, guessMisfits(evidence, text)),
    );
  }

  /** The columns of these names by a look at every value. */
  async lookAt(names: readonly string[]): Promise<ReadColumn[]> {
    const looked = this.#looked(names);
    await lookAtTypes(this.connection, this.table, looked);
    return looked.map(({ name, text, evidence }) => readColumn(name, text, evidence.column, undefined));
  }

  async close(): Promise<void> {
    await this.connection.run(`drop table if exists ${this.table}`);
    this.connection.close();
  }

  #looked(names: readonly string[]): { name: string; text: string; evidence: TypeEvidence }[] {
    return names.map((name) => ({ name, text: this.#text(name), evidence: new TypeEvidence() }));
  }

  #text(name: string): string {
    return textColumn(this.#names.indexOf(name));
  }

  #sample(): string {
    if (this.#count <= samplePieces * samplePieceRows) return "true";
    const step = Math.floor(this.#count / samplePieces);
    const pieces = Array.from({ length: samplePieces }, (_, piece) => {
      return `rowid between ${piece * step} and ${piece * step + samplePieceRows - 1}`;
    });
    return pieces.join(" or ");
  }

  /** Fields may come later: JSON objects need not have the same. */
  async #make(names: readonly string[]): Promise<void> {
    const fresh = names.filter((name) => !this.#names.includes(name));
    if (fresh.length === 0) return;
    const isFirst = this.#names.length === 0;
    this.#names.push(...fresh);
    if (this.#names.length > limit.columns) throw tooManyColumns(this.#names.length);
    const columns = fresh.map((name) => `${this.#text(name)} varchar`);
    if (isFirst) await this.connection.run(`create table ${this.table} (${columns.join(", ")})`);
    else for (const column of columns) await this.connection.run(`alter table ${this.table} add column ${column}`);
  }
}

function readColumn(name: string, text: string, column: Column, misfits: string | undefined): ReadColumn {
  return { name, column, text, value: typedSql(column, text), ...(misfits === undefined ? {} : { misfits }) };
}

/** A condition on a text that is true where the guess of its column's type may not hold. */
function guessMisfits(evidence: TypeEvidence, text: string): string | undefined {
  if (evidence.isText) return undefined;
  const { column } = evidence;
  const isNot = `(${typedSql(column, text)}) is null`;
  const isCode = `regexp_full_match(${text}, ${quoteLiteral(leadingZero)})`;
  switch (column.type) {
    case "integer":
    case "bigint":
      return `(${isNot} or (starts_with(ltrim(${text}, '+-'), '0') and ${isCode}))`;
    case "double":
      return `(${isNot} or strlen(${text}) > ${safeDoubleChars} or (starts_with(ltrim(${text}, '+-'), '0') and ${isCode}))`;
    case "text":
    case "decimal":
      return "true";
    case "boolean":
      return `lower(${text}) not in ('true', 'false')`;
    case "date":
    case "timestamp":
    case "uuid":
    case "json":
      return isNot;
  }
}

/** Columns of text of a relation, by a look at every value. */
export async function lookAtTexts(
  connection: EngineConnection,
  relation: string,
  names: readonly string[],
): Promise<ReadColumn[]> {
  const looked = names.map((name) => ({ name, text: quoteIdentifier(name), evidence: new TypeEvidence() }));
  await lookAtTypes(connection, relation, looked);
  return looked.map(({ name, text, evidence }) => readColumn(name, text, evidence.column, undefined));
}

/** The columns of a relation whose types the engine knows. */
export async function describedColumns(connection: EngineConnection, relation: string): Promise<ReadColumn[]> {
  const described = await describeColumns(connection, `select * from ${relation}`);
  return described.map(({ name, type }) => {
    const value = quoteIdentifier(name);
    const column = columnFromEngineType(type, undefined);
    const text = column.type === "json" ? `cast(to_json(${value}) as varchar)` : `cast(${value} as varchar)`;
    return { name, column, text, value: column.type === "json" ? text : value, kept: type };
  });
}

function tooManyColumns(count: number): MillraceError {
  return new MillraceError("COLUMNS_MISMATCH", `The records have ${count} columns`, {
    remedy: `At most ${limit.columns} are possible.`,
  });
}
