import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duckdbSink } from "../../../src/adapters/duckdb/index.ts";
import type { Claim } from "../../../src/core/checkpoint.ts";
import { textCell } from "../../../src/adapters/duckdb/cells.ts";
import { quoteIdentifier, quoteLiteral } from "../../../src/core/identifier.ts";
import type { SinkOptions } from "../../../src/core/pipeline.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { EngineConnection, EngineRow } from "../../../src/ports/engine.ts";
import type { SinkColumn } from "../../../src/ports/rows.ts";
import type { Sink, SinkBatch, Target } from "../../../src/ports/sink.ts";
import { RowEngine } from "../../conformance/engine-rows.ts";

export const columns: readonly SinkColumn[] = [
  { name: "id", type: "integer", key: true },
  { name: "name", type: "text", nullable: true },
];

export function makeTarget(more: Partial<Target> = {}): Target {
  return { pipeline: "p", table: "t", columns, key: ["id"], mode: "append", lineage: false, ...more };
}

/** An engine, a folder and the sinks opened in it; all gone at the end. */
export class Scene implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "millrace-duckdb-"));
  readonly file = join(this.folder, "hr.db");
  readonly rows: RowEngine;
  readonly #sinks: Sink[] = [];

  private constructor(rows: RowEngine) {
    this.rows = rows;
  }

  static async open(): Promise<Scene> {
    return new Scene(await RowEngine.open());
  }

  make(url = `duckdb:${this.file}`, options: SinkOptions = {}, more: Partial<RowEngine["context"]> = {}): Sink {
    const sink = duckdbSink(parsePlace(url), options, { ...this.rows.context, ...more });
    this.#sinks.push(sink);
    return sink;
  }

  async opened(url?: string, options?: SinkOptions): Promise<Sink> {
    const sink = this.make(url, options);
    await sink.open();
    return sink;
  }

  async batch(
    sink: Sink,
    target: Target,
    claim: Claim,
    rows: readonly EngineRow[],
    more: Partial<SinkBatch> = {},
  ): Promise<SinkBatch> {
    const [batch = 0n] = await sink.reserveBatches(1);
    const made = await this.rows.makeRows(target.columns, rows);
    return {
      ...{ claim, batch, run: "run", version: "v1", source: claim.source, start: claim.position },
      ...{ end: { row: claim.position.row + rows.length }, read: rows.length, filtered: 0, rejects: [], format: {} },
      ...{ rows: made, startedAt: "2024-01-01T00:00:00.000Z" },
      refuse: (row, reason) => ({
        ...{ record: row, line: row + 1, offset: BigInt(row * 10), bytes: Buffer.from(`row ${row}`), truncated: false },
        reasons: [reason],
      }),
      ...more,
    };
  }

  /** One batch in one unit. */
  async load(sink: Sink, target: Target, rows: readonly EngineRow[], more: Partial<SinkBatch> = {}) {
    const claim = await sink.claim(target.pipeline, "lane", "lane.csv", { row: 0 });
    const batch = await this.batch(sink, target, claim, rows, more);
    const unit = await sink.begin(target);
    try {
      const result = await unit.write(batch);
      await unit.commit();
      return result;
    } finally {
      await unit.rollback();
    }
  }

  /** Statements on a file while no sink has it, in the default schema `main` of it. */
  async outside<Result>(work: (connection: EngineConnection) => Promise<Result>, file = this.file): Promise<Result> {
    return attached(this.rows, file, work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sink of this.#sinks) await sink.close();
    await this.rows[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Works with the file under the name it is attached by, or attaches it for as long. */
export async function attached<Result>(
  rows: RowEngine,
  file: string,
  work: (connection: EngineConnection) => Promise<Result>,
): Promise<Result> {
  const connection = await rows.engine.connect();
  try {
    const [found] = await connection.all("select database_name as name from duckdb_databases() where path = $1", [
      file,
    ]);
    const name = quoteIdentifier(found === undefined ? rows.engine.uniqueName("outside") : textCell(found, "name"));
    if (found === undefined) await connection.run(`attach ${quoteLiteral(file)} as ${name}`);
    await connection.run(`use ${name}`);
    try {
      return await work(connection);
    } finally {
      await connection.run("use memory");
      if (found === undefined) await connection.run(`detach ${name}`);
    }
  } finally {
    connection.close();
  }
}

export async function readQuery(sink: Sink, sql: string): Promise<EngineRow[]> {
  const read: EngineRow[] = [];
  for await (const rows of sink.query(sql)) read.push(...rows);
  return read;
}
