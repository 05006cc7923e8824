import { join } from "node:path";
import { quoteIdentifier, quoteLiteral } from "../core/identifier.ts";
import type { Contract } from "../core/contract.ts";
import type { Json } from "../core/json.ts";
import type { SourceOptions, Step } from "../core/pipeline.ts";
import { describeColumns } from "../engine/described.ts";
import { describedColumns } from "../engine/staged.ts";
import type { EngineConnection } from "../ports/engine.ts";
import type { Change } from "../ports/transform.ts";
import { measureColumns, profileOf } from "../transforms/profile/measure.ts";
import type { Profile } from "../transforms/profile/profile.ts";
import { inTemporaryFolder } from "./backup-folder.ts";
import type { OnEvent } from "./events.ts";
import { loadPipeline } from "./load.ts";
import { runIn } from "./run.ts";
import type { Session } from "./session.ts";

export interface RelationColumn {
  readonly name: string;
  /** The engine's type. */
  readonly type: string;
}

/** The records of a file as a relation of the engine, each column in the type that holds all of its values. */
export interface FileRelation {
  readonly connection: EngineConnection;
  /** In SQL. Its `rowid` counts rows from 0, in the order of the file. */
  readonly relation: string;
  readonly columns: readonly RelationColumn[];
  readonly rows: number;
  /** Records that could not be read. */
  readonly rejected: number;
  /** What steps found out of all rows, by their names. */
  readonly measured: ReadonlyMap<string, Json>;
  /** What steps changed. */
  readonly changes: readonly Change[];
  /** What all rows show of the columns as they stand. */
  profile(): Promise<Profile>;
}

export interface FileRelationOptions {
  readonly source: SourceOptions;
  /** The contract and the steps that the records go through, made from the contract that was inferred. */
  readonly shape?: (inferred: Contract) => { readonly contract: Contract; readonly steps: readonly Step[] };
  /** Where the relation lies meanwhile: it may be larger than memory. */
  readonly folder: string;
}

async function profiled(connection: EngineConnection, relation: string): Promise<Profile> {
  const [counted] = await connection.all(`select count(*) as rows from ${relation}`);
  const measured = { relation, rows: Number(counted?.["rows"] ?? 0), row: "rowid" };
  const columns = await describedColumns(connection, relation);
  return profileOf(connection, measured, await measureColumns(connection, measured, columns));
}

/** Does `work` with the records of the file at `url`, by way of a pipeline. Throws what reading the file throws. */
export async function withFileRelation<Result>(
  session: Session,
  url: string,
  { source, folder, shape }: FileRelationOptions,
  work: (relation: FileRelation) => Promise<Result>,
): Promise<Result> {
  return inTemporaryFolder(folder, session.context.now(), async (own) => {
    const path = join(own, "relation.duckdb");
    const measured = new Map<string, Json>();
    const onEvent: OnEvent = (event) => {
      if (event.event === "measured") measured.set(event.step, event.parameters);
    };
    const { loaded, rejected, changes } = await session.within(async (inner) => {
      const inferred = await loadPipeline({ from: url, to: `duckdb:${path}`, table: "data", source }, inner);
      const pipeline = { ...inferred, ...shape?.(inferred.contract) };
      return runIn(inner, pipeline, { patienceMs: 0, onEvent });
    });
    const connection = await session.engine.connect();
    const database = quoteIdentifier(session.engine.uniqueName("relation"));
    try {
      await connection.run(`attach ${quoteLiteral(path)} as ${database} (read_only)`);
      const relation = `${database}.main.data`;
      const described = await describeColumns(connection, `select * from ${relation}`);
      const columns = described.map(({ name, type }) => ({ name, type }));
      const profile = (): Promise<Profile> => profiled(connection, relation);
      return await work({ connection, relation, columns, rows: loaded, rejected, measured, changes, profile });
    } finally {
      // Whatever a statement that failed still holds goes with its connection.
      connection.close();
      const last = await session.engine.connect();
      await last.run(`detach database if exists ${database}`).finally(() => last.close());
    }
  });
}
