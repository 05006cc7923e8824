import { join } from "node:path";
import type { Contestant } from "./contestant.ts";
import { type Data, type DataKind, dataFile, departmentsMax } from "./data.ts";
import { duckdbInsert, intoDuckdb } from "./duckdb.ts";
import { memoryFlag } from "./memory.ts";
import { intoPostgres, type MillraceLoad } from "./millrace.ts";
import { obtainPgloader, pgloader } from "./pgloader.ts";
import type { BenchServer } from "./postgres.ts";
import { psqlCopy } from "./psql.ts";
import { tableName, tableSql } from "./table.ts";

export interface FieldPlace {
  readonly server: BenchServer;
  readonly folder: string;
  readonly contractPath: string;
  /** Records of a file, but for the ten times as many of `long`. */
  readonly rows: number;
}

/** All who take part; each is made once, when it is first asked for, with the file that it loads. */
export class Field {
  readonly #place: FieldPlace;
  readonly #made = new Map<string, Promise<Contestant>>();

  constructor(place: FieldPlace) {
    this.#place = place;
  }

  data(kind: DataKind, times = 1): Promise<Data> {
    return dataFile(kind, this.#place.rows * times);
  }

  psql(): Promise<Contestant> {
    return this.#once("psql", async () => psqlCopy(this.#place.server, await this.data("clean")));
  }

  pgloader(): Promise<Contestant | undefined> {
    return obtainPgloader().then((program) => {
      if (program === undefined) return undefined;
      const { server, folder } = this.#place;
      return this.#once("pgloader", async () => pgloader(program, server, await this.data("clean"), folder));
    });
  }

  /** Into PostgreSQL, `lanes` at once. Without `mode` as the key of the contract has it, which is to merge. */
  postgres(lanes: number, mode?: "append", times = 1): Promise<Contestant> {
    const flags = ["--parallel", String(lanes), ...(mode === undefined ? [] : ["--mode", mode])];
    const name = `Millrace, ${lanes} ${lanes === 1 ? "lane" : "lanes"}, ${mode ?? "merge"}${times === 1 ? "" : `, ${times} × the rows`}`;
    return this.#once(name, async () => {
      return intoPostgres(this.#place.server, this.#load(name, await this.data("dirty", times), flags));
    });
  }

  /** The same with rows that only the database refuses, by its key or by a check that its table has. */
  refused(kind: "duplicate" | "refused" | "dirty"): Promise<Contestant> {
    const name = `Millrace, 2 lanes, append, ${kind}`;
    const check = kind === "duplicate" ? "" : ` check (department_id <= ${departmentsMax})`;
    return this.#once(name, async () => {
      const load = this.#load(name, await this.data(kind), ["--parallel", "2", "--mode", "append"]);
      return intoPostgres(this.#place.server, load, tableSql(tableName, check));
    });
  }

  duckdb(mode?: "append"): Promise<Contestant> {
    const name = `Millrace into DuckDB, ${mode ?? "merge"}`;
    const path = join(this.#place.folder, "millrace.duckdb");
    const flags = mode === undefined ? [] : ["--mode", mode];
    return this.#once(name, async () => intoDuckdb(path, this.#load(name, await this.data("dirty"), flags)));
  }

  duckdbInsert(): Promise<Contestant> {
    const path = join(this.#place.folder, "insert.duckdb");
    return this.#once("DuckDB", async () => duckdbInsert(path, await this.data("clean")));
  }

  /** Into PostgreSQL on the smallest budget that is promised. */
  async tight(data?: Data): Promise<Contestant> {
    const flags = ["--mode", "append", "--memory", memoryFlag];
    const load = this.#load(`Millrace, --memory ${memoryFlag}`, data ?? (await this.data("dirty")), flags);
    return intoPostgres(this.#place.server, load);
  }

  #load(name: string, data: Data, flags: readonly string[]): MillraceLoad {
    return { name, data, flags, contractPath: this.#place.contractPath };
  }

  #once(name: string, make: () => Promise<Contestant>): Promise<Contestant> {
    const made = this.#made.get(name) ?? make();
    this.#made.set(name, made);
    return made;
  }
}
