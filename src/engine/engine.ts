import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { DuckDBInstance } from "@duckdb/node-api";
import type { EngineHost } from "../ports/engine.ts";
import type { Transforms } from "../ports/transform.ts";
import { Connection } from "./connection.ts";
import { removeLeftSpills, spillFolderIn } from "./spill.ts";

export interface EngineOptions {
  /** DuckDB's share of the memory budget; what does not fit is spilled to `tempFolder`. */
  readonly memoryBytes: number;
  readonly threads: number;
  /** Where to spill; a private folder in the system's temporary folder when absent. */
  readonly tempFolder?: string;
  /** The steps that come with Millrace; none when absent. */
  readonly transforms?: Transforms;
}

/** DuckDB in memory, one per process: checks, casts and joins batches on threads of its own. */
export class Engine implements EngineHost {
  readonly transforms: Transforms;
  readonly #instance: DuckDBInstance;
  readonly #spillFolder: string;
  readonly #open = new Set<Connection>();
  #names = 0;

  private constructor(instance: DuckDBInstance, spillFolder: string, transforms: Transforms) {
    this.#instance = instance;
    this.#spillFolder = spillFolder;
    this.transforms = transforms;
  }

  static async open(options: EngineOptions): Promise<Engine> {
    const folder = options.tempFolder ?? tmpdir();
    await removeLeftSpills(folder, Date.now());
    const spillFolder = spillFolderIn(folder);
    const instance = await DuckDBInstance.create(":memory:", {
      threads: String(options.threads),
      memory_limit: `${Math.floor(options.memoryBytes / 1024)}KiB`,
      temp_directory: spillFolder,
      preserve_insertion_order: "true",
      // Scratch files are rewritten under one name; a cached copy would be another batch.
      enable_external_file_cache: "false",
      autoinstall_known_extensions: "false",
    });
    return new Engine(instance, spillFolder, options.transforms ?? (() => undefined));
  }

  async connect(): Promise<Connection> {
    const duckdb = await this.#instance.connect();
    await duckdb.run("set TimeZone = 'UTC'");
    const connection = new Connection(duckdb, () => this.#open.delete(connection));
    this.#open.add(connection);
    return connection;
  }

  uniqueName(prefix: string): string {
    this.#names += 1;
    return `${prefix}_${this.#names}`;
  }

  /** A name for a table of the engine, good on every connection whatever database it uses. */
  tableName(prefix: string): string {
    return `memory.main.${this.uniqueName(prefix)}`;
  }

  /** Ends all connections and removes what was spilled. */
  async close(): Promise<void> {
    for (const connection of [...this.#open]) connection.close();
    this.#instance.closeSync();
    await rm(this.#spillFolder, { recursive: true, force: true });
  }
}
