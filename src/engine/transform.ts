import { type DuckDBDataChunk as Chunk, DuckDBDataChunk, VARCHAR } from "@duckdb/node-api";
import type { Column } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { quoteIdentifier } from "../core/identifier.ts";
import { lineageColumn } from "../core/lineage.ts";
import { limit } from "../core/limit.ts";
import type { TransformStep } from "../core/pipeline.ts";
import { shortenValue } from "../core/reject.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { Change, Compiled, TextChange, Transform } from "../ports/transform.ts";
import type { Connection } from "./connection.ts";
import { columnFromEngineType, describeColumns } from "./described.ts";
import type { Engine } from "./engine.ts";
import type { Flow, StepFailure, StepPlace, StepResult } from "./flow.ts";
import { engineType, typedSql } from "./typed-sql.ts";

/** Applies a step that comes with Millrace. `before.table` stays. */
export async function applyTransform(
  step: TransformStep,
  before: Flow,
  engine: Engine,
  connection: Connection,
  place: StepPlace,
): Promise<StepResult> {
  const transform = transformOf(step.name, engine);
  const compiled = transform.compile(step, before.columns, { ...place, typed: typedSql });
  const work = new TransformWork(step.name, compiled, before, engine, connection);
  try {
    return await work.run();
  } catch (cause) {
    await work.drop();
    if (cause instanceof MillraceError) throw cause;
    throw new MillraceError("STEP_FAILED", `The step ${step.name} failed: ${(cause as Error).message}`, {
      remedy: "See docs/transforms.md for what it takes; the columns before it may be of other types.",
      cause,
    });
  }
}

/** Throws PIPELINE_INVALID. */
export function transformOf(name: string, engine: Engine): Transform {
  const transform = engine.transforms(name);
  if (transform !== undefined) return transform;
  throw new MillraceError("PIPELINE_INVALID", `There is no step "${name}"`, {
    remedy: "Use the steps that millrace exports, such as impute(…).",
  });
}

const keptColumn = "_millrace_kept";

class TransformWork {
  readonly #name: string;
  readonly #compiled: Compiled;
  readonly #before: Flow;
  readonly #engine: Engine;
  readonly #connection: Connection;
  readonly #table: string;

  constructor(name: string, compiled: Compiled, before: Flow, engine: Engine, connection: Connection) {
    this.#name = name;
    this.#compiled = compiled;
    this.#before = before;
    this.#engine = engine;
    this.#connection = connection;
    this.#table = engine.tableName("step");
  }

  async run(): Promise<StepResult> {
    const failures = await this.#failures();
    await this.#create();
    const kept: Change[] = [];
    for (const change of this.#compiled.texts ?? []) kept.push(...(await this.#changeTexts(change)));
    const columns = await this.#columns();
    const [row] = await this.#connection.all(`select count(*) as count from ${this.#table}`);
    const flow: Flow = { table: this.#table, columns, count: Number(row?.["count"]) };
    return { flow, failures, changes: [...(await this.#changes(flow)), ...kept] };
  }

  async drop(): Promise<void> {
    await this.#connection.run(`drop table if exists ${this.#table}`);
  }

  async #create(): Promise<void> {
    const values = Object.entries(this.#compiled.values ?? {}).map(([name, { sql, column }]) => {
      return `cast(${sql} as ${engineType(column ?? this.#column(name))}) as ${quoteIdentifier(name)}`;
    });
    const replaced = values.length === 0 ? "" : ` replace (${values.join(", ")})`;
    const { fails = [], keeps = "true", asides = {} } = this.#compiled;
    const conditions = [`(${keeps})`, ...fails.map(({ condition }) => `not coalesce(${condition}, false)`)];
    // As a column: a window may stand there, and not in WHERE.
    const own = { [keptColumn]: conditions.join(" and "), ...asides };
    const added = Object.entries(own).map(([name, sql]) => `${sql} as ${name}`);
    const rows = `(select *, ${added.join(", ")} from batch) where ${keptColumn}`;
    // In one turn of the connection: another batch on it means another relation by that name.
    await this.#connection.run(
      `create or replace temp view batch as select * from ${this.#before.table}; create table ${this.#table} as select * exclude (${Object.keys(own).join(", ")})${replaced} from ${rows}`,
    );
  }

  async #failures(): Promise<StepFailure[]> {
    const failures: StepFailure[] = [];
    const seen = new Set<number>();
    for (const { column, condition, message } of this.#compiled.fails ?? []) {
      const value = quoteIdentifier(column);
      const rows = await this.#connection.all(
        `select ${lineageColumn} as record, cast(${value} as varchar) as value from ${this.#before.table} where ${condition}`,
      );
      for (const row of rows) {
        if (row["record"] === null) throw new TypeError("a row of which nobody knows the record does not fit");
        const record = Number(row["record"]);
        if (seen.has(record)) continue;
        seen.add(record);
        const shown = shortenValue(row["value"] as string, limit.reasonValueChars);
        const reason = { code: "step", column, value: shown, message: `${JSON.stringify(shown)} ${message}` } as const;
        failures.push({ record, reasons: [reason] });
      }
    }
    return failures;
  }

  /** Each different text goes through TypeScript once, a piece of the engine's at a time. */
  async #changeTexts({ column, needs, change }: TextChange): Promise<Change[]> {
    const name = quoteIdentifier(column);
    const table = this.#engine.tableName("texts");
    await this.#connection.run(`create table ${table} (before varchar, after varchar)`);
    try {
      const texts = `select distinct ${name} as text from ${this.#table} where ${name} is not null and (${needs})`;
      const pieces: (string | null)[][][] = [];
      for await (const rows of this.#connection.scan(texts)) {
        pieces.push(rows.map(({ text }) => [text as string, change(text as string) ?? null]));
        // The connection is held by the scan: what is found waits, and a batch bounds it.
      }
      await this.#append(table, pieces);
      const changed = `from ${table} as t where t.after is not null and t.before = ${this.#table.split(".").at(-1)}.${name}`;
      await this.#connection.run(`update ${this.#table} set ${name} = t.after ${changed}`);
      return await this.#keptTexts(column, table);
    } finally {
      await this.#connection.run(`drop table if exists ${table}`);
    }
  }

  async #append(table: string, pieces: readonly (string | null)[][][]): Promise<void> {
    const appender = await this.#connection.duckdb.createAppender(table.split(".").at(-1) ?? table, "main", "memory");
    try {
      for (const rows of pieces) {
        if (rows.length === 0) continue;
        const chunk: Chunk = DuckDBDataChunk.create([VARCHAR, VARCHAR], rows.length);
        chunk.setRows(rows);
        appender.appendDataChunk(chunk);
      }
    } finally {
      appender.closeSync();
    }
  }

  async #keptTexts(column: string, table: string): Promise<Change[]> {
    const name = quoteIdentifier(column);
    const kept = `from ${this.#table} where ${name} in (select before from ${table} where after is null)`;
    const [counted] = await this.#connection.all(`select count(*) as count ${kept}`);
    const count = Number(counted?.["count"]);
    if (count === 0) return [];
    const rows = await this.#connection.all(`select distinct ${name} as v ${kept} limit ${limit.examplesShown}`);
    const examples = rows.map(({ v }) => ({ from: shown(v), to: shown(v) }));
    return [{ step: this.#name, column, what: "kept", count, examples }];
  }

  async #columns(): Promise<SinkColumn[]> {
    const { values = {} } = this.#compiled;
    const described = await describeColumns(this.#connection, this.#table);
    return described
      .filter(({ name }) => name !== lineageColumn && this.#before.columns.some((column) => column.name === name))
      .map(({ name, type }) => ({ name, ...columnFromEngineType(type, values[name]?.column ?? this.#column(name)) }));
  }

  #column(name: string): Column {
    const found = this.#before.columns.find((column) => column.name === name);
    if (found === undefined) throw new TypeError(`there is no column ${name}`);
    const { name: _, ...column } = found;
    return column;
  }

  /** Row by row against those before: nothing but the values differs, and no row where rows are dropped. */
  async #changes({ count }: Flow): Promise<Change[]> {
    const { values = {}, texts = [], isReported = true } = this.#compiled;
    const names = [...Object.keys(values), ...texts.map(({ column }) => column)];
    if (!isReported || count === 0 || names.length === 0 || count !== this.#before.count) return [];
    const differ = (name: string): string => {
      const column = quoteIdentifier(name);
      return `cast(b.${column} as varchar) is distinct from cast(a.${column} as varchar)`;
    };
    const both = `${this.#before.table} as b positional join ${this.#table} as a`;
    const counts = names.map((name, index) => `count(*) filter (where ${differ(name)}) as n${index}`);
    const [found = {}] = await this.#connection.all(`select ${counts.join(", ")} from ${both}`);
    const changes: Change[] = [];
    for (const [index, name] of names.entries()) {
      const changed = Number(found[`n${index}`]);
      if (changed === 0) continue;
      const column = quoteIdentifier(name);
      const rows = await this.#connection.all(
        `select distinct cast(b.${column} as varchar) as before, cast(a.${column} as varchar) as after from ${both} where ${differ(name)} limit ${limit.examplesShown}`,
      );
      const examples = rows.map(({ before, after }) => ({ from: shown(before), to: shown(after) }));
      changes.push({ step: this.#name, column: name, what: "changed", count: changed, examples });
    }
    return changes;
  }
}

function shown(value: unknown): string | null {
  return typeof value === "string" ? shortenValue(value, limit.reasonValueChars) : null;
}
