import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { quoteIdentifier } from "../../core/identifier.ts";
import type { SinkOptions } from "../../core/pipeline.ts";
import type { Place } from "../../core/place.ts";
import { unusablePlace } from "../../core/place-options.ts";

/** A DuckDB file and the schemas used in it. */
export interface Location {
  /** The file as the URL names it. */
  readonly path: string;
  readonly shown: string;
  readonly schema: string;
  /** Schema of the tables that Millrace keeps. */
  readonly stateSchema: string;
}

const knownOptions = ["schema", "millrace_schema"];

/** `duckdb:PATH?schema=S&millrace_schema=S`. Throws URL_INVALID. */
export function locate(place: Place, options: SinkOptions): Location {
  const unknown = [...place.options.keys()].find((name) => !knownOptions.includes(name));
  if (unknown !== undefined) {
    throw unusablePlace(place, `it has the unknown option "${unknown}"`, `Options are ${knownOptions.join(" and ")}.`);
  }
  if (place.path === "" || place.path.startsWith(":memory:")) {
    throw unusablePlace(place, "it names no file", "Write it as duckdb:PATH, such as duckdb:hr.db.");
  }
  const schema = place.options.get("schema") ?? "main";
  const stateSchema = options.stateSchema ?? place.options.get("millrace_schema") ?? schema;
  if (schema === "" || stateSchema === "") throw unusablePlace(place, "a schema has an empty name", "Name a schema.");
  return { path: place.path, shown: place.shown, schema, stateSchema };
}

/** The one path of the file, links resolved, whether the file exists or not: the key under which it is attached. */
export async function realFile(path: string): Promise<string> {
  const full = resolve(path);
  const known = await resolveLinks(full);
  if (known !== undefined) return known;
  const folder = await resolveLinks(dirname(full));
  return folder === undefined ? full : join(folder, basename(full));
}

async function resolveLinks(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Quoted names of what lies in the file, once it is attached as `database`. */
export class Names {
  readonly database: string;
  readonly schema: string;
  readonly stateSchema: string;

  constructor(database: string, location: Location) {
    this.database = database;
    this.schema = location.schema;
    this.stateSchema = location.stateSchema;
  }

  table(name: string): string {
    return this.#qualify(this.schema, name);
  }

  /** As people would write it, with the file open as the only one. */
  tableInSchema(name: string): string {
    return [this.schema, name].map(quoteIdentifier).join(".");
  }

  get checkpoint(): string {
    return this.#qualify(this.stateSchema, "millrace_checkpoint");
  }

  get reject(): string {
    return this.#qualify(this.stateSchema, "millrace_reject");
  }

  get ledger(): string {
    return this.#qualify(this.stateSchema, "millrace_ledger");
  }

  get seen(): string {
    return this.#qualify(this.stateSchema, "millrace_seen");
  }

  /** Sequences of batch and reject numbers. */
  get batchNumber(): string {
    return this.#qualify(this.stateSchema, "millrace_batch");
  }

  get rejectNumber(): string {
    return this.#qualify(this.stateSchema, "millrace_reject_id");
  }

  #qualify(schema: string, name: string): string {
    return [this.database, schema, name].map(quoteIdentifier).join(".");
  }
}
