import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import type { Checkpoint, Claim, Position } from "../../core/checkpoint.ts";
import { MillraceError } from "../../core/error.ts";
import type { JsonObject } from "../../core/json.ts";
import { limit } from "../../core/limit.ts";
import type { Place } from "../../core/place.ts";
import type { FailureKind } from "../../core/retry.ts";
import type { AdapterContext, SinkFactory } from "../../ports/adapter.ts";
import type { EngineParameter, EngineRow } from "../../ports/engine.ts";
import type { PreparedTarget, Sink, SinkFacts, SinkRecords, Target, Unit } from "../../ports/sink.ts";
import { Catalog } from "./catalog.ts";
import {
  claimLane,
  keepDefinition,
  listCheckpoints,
  readCheckpoint,
  readDefinition,
  reserveNumbers,
  trimOld,
} from "./catalog-lane.ts";
import { countRejects, listLedger, listRejects, sumUpRejects } from "./catalog-record.ts";
import { tableColumnsOf } from "./sink-column.ts";
import { classify, explain } from "./sink-error.ts";
import { Manifests } from "./sink-manifest.ts";
import { OrphanSweep } from "./sink-orphan.ts";
import { type PartFormat, partFormats, tableFolder } from "./sink-part-name.ts";
import { FileQuery } from "./sink-query.ts";
import { type FileTable, hasLineage, prepareTable, readTable, tablesOfPipeline } from "./sink-table.ts";
import { FileUnit } from "./sink-unit.ts";
import { viewDdl } from "./sink-view.ts";

const facts: SinkFacts = {
  guarantee: "exactly once",
  how: "Each batch is a file named by its position; one transaction of the folder's catalog makes files, rejects, ledger and position valid together.",
  modes: ["append", "replace"],
  takes: "relation",
  unitsMax: limit.parallel,
  wholeFileUnits: true,
  serials: false,
  elsewhere: true,
};

/** `file:DIR`, with `?format=parquet` (the default), `csv` or `ndjson`: a folder for each table, a file for each batch. */
export const fileSink: SinkFactory = (place, _options, context) => new FileSink(place, context);

/** What is there once the sink is open. */
interface OpenFolder {
  readonly catalog: Catalog;
  readonly manifests: Manifests;
  readonly orphans: OrphanSweep;
  readonly query: FileQuery;
}

class FileSink implements Sink {
  readonly shown: string;
  readonly facts = facts;
  readonly records: SinkRecords;
  readonly #root: string;
  readonly #format: PartFormat;
  readonly #context: AdapterContext;
  readonly #units = new Set<Unit>();
  #opening: Promise<OpenFolder> | undefined;
  #folder: OpenFolder | undefined;
  #use: "write" | "read" | undefined;

  constructor(place: Place, context: AdapterContext) {
    this.shown = place.shown;
    this.#root = resolve(place.path);
    this.#format = formatOf(place);
    this.#context = context;
    this.records = recordsOf(() => this.#open);
  }

  async open(use: "write" | "read" = "write"): Promise<void> {
    if (this.#use !== use && this.#use !== "write") await this.close();
    this.#use ??= use;
    this.#opening ??= this.#openFolder(this.#use);
    try {
      this.#folder = await this.#opening;
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  async #openFolder(use: "write" | "read"): Promise<OpenFolder> {
    if (use === "write") await mkdir(this.#root, { recursive: true });
    const catalog = await (use === "write" ? Catalog.open(this.#root) : Catalog.openForReading(this.#root));
    return {
      catalog,
      manifests: new Manifests(catalog, this.#root, this.#context),
      orphans: new OrphanSweep(catalog, this.#root),
      query: new FileQuery(catalog, this.#root, this.#context.engine),
    };
  }

  #forget(): void {
    this.#folder = undefined;
    this.#opening = undefined;
    this.#use = undefined;
  }

  get #open(): OpenFolder {
    if (this.#folder !== undefined) return this.#folder;
    throw new MillraceError("INTERNAL", `${this.shown} was used before it was opened`, { remedy: "Please report it." });
  }

  ddl(target: Target): string {
    return viewDdl(this.#root, newTable(target), this.#format);
  }

  async prepare(target: Target): Promise<PreparedTarget> {
    if (target.elsewhere === true) return { created: false, lineage: false, ddl: "" };
    refuseMerge(target);
    const { catalog, orphans, manifests } = this.#open;
    const { table, created } = catalog.inTransaction(() => {
      const prepared = prepareTable(catalog, this.#root, target);
      orphans.sweep(prepared.table);
      return prepared;
    });
    manifests.write(table.name);
    if (created && target.key.length > 0) this.#context.notice(keyNotice(target));
    return { created, lineage: target.lineage && hasLineage(table), ddl: this.ddl(target) };
  }

  async define(pipeline: string, version: string, definition: JsonObject): Promise<void> {
    const { catalog } = this.#open;
    catalog.inTransaction(() => keepDefinition(catalog, pipeline, version, definition));
  }

  async claim(pipeline: string, lane: string, source: string, initial: Position): Promise<Claim> {
    const { catalog, orphans } = this.#open;
    const now = new Date(this.#context.now()).toISOString();
    return catalog.inTransaction(() => {
      const claim = claimLane(catalog, { pipeline, lane, source, position: initial }, now);
      if (claim.epoch > 1) for (const table of tablesOfPipeline(catalog, pipeline)) orphans.sweep(table);
      return claim;
    });
  }

  async checkpoint(pipeline: string, lane: string): Promise<Checkpoint | undefined> {
    return readCheckpoint(this.#open.catalog, pipeline, lane);
  }

  async trim(pipeline: string, source: string, ageMs: number): Promise<number> {
    const { catalog } = this.#open;
    const before = new Date(this.#context.now() - ageMs).toISOString();
    return catalog.inTransaction(() => trimOld(catalog, { pipeline, source, before }));
  }

  async reserveBatches(count: number): Promise<bigint[]> {
    const { catalog } = this.#open;
    return catalog.inTransaction(() => reserveNumbers(catalog, count));
  }

  async begin(target: Target, options: { readonly replace?: boolean } = {}): Promise<Unit> {
    const { catalog, manifests } = this.#open;
    const table = target.elsewhere === true ? newTable(target) : readTable(catalog, target.table);
    if (table === undefined) {
      throw new MillraceError("INTERNAL", `The table ${JSON.stringify(target.table)} was not prepared`, {
        remedy: "Please report it.",
        at: { table: target.table },
      });
    }
    const done = (ended: Unit): void => void this.#units.delete(ended);
    const place = { catalog, manifests, table, root: this.#root, format: this.#format, context: this.#context, done };
    const unit = new FileUnit(place, target, options.replace === true);
    this.#units.add(unit);
    return unit;
  }

  /** Opens the folder to read, where that was not done before. */
  async *query(sql: string, parameters: readonly EngineParameter[] = []): AsyncIterable<readonly EngineRow[]> {
    if (this.#folder === undefined) await this.open("read");
    yield* this.#open.query.query(sql, parameters);
  }

  classify(error: unknown): FailureKind {
    return classify(error);
  }

  explain(error: unknown): Error {
    return explain(error, this.shown);
  }

  async close(): Promise<void> {
    const folder = this.#folder;
    this.#forget();
    for (const unit of [...this.#units]) await unit.rollback();
    folder?.manifests.writeBehind();
    folder?.catalog.close();
  }
}

function formatOf(place: Place): PartFormat {
  const unknown = [...place.options.keys()].find((name) => name !== "format");
  if (unknown !== undefined) throw invalidUrl(place, `it has the unknown option "${unknown}"`);
  const text = place.options.get("format") ?? "parquet";
  const format = partFormats.find((known) => known === text);
  if (format === undefined) throw invalidUrl(place, `the format "${text}" cannot be written`);
  return format;
}

function invalidUrl(place: Place, why: string): MillraceError {
  return new MillraceError("URL_INVALID", `The URL ${place.shown} cannot be used: ${why}`, {
    remedy: `Write file:DIR or file:DIR?format=FORMAT, with one of ${partFormats.join(", ")}.`,
  });
}

function refuseMerge(target: Target): void {
  if (facts.modes.includes(target.mode)) return;
  throw new MillraceError(
    "PIPELINE_INVALID",
    `Rows of ${JSON.stringify(target.table)} cannot be merged into files by key`,
    {
      remedy: "Choose the mode append or replace, or a database as the destination.",
      at: { table: target.table },
    },
  );
}

function keyNotice(target: Target): string {
  return `Files have no index: rows of ${JSON.stringify(target.table)} whose key is there already are added, not refused`;
}

function newTable(target: Target): FileTable {
  const { table: name, lineage } = target;
  return { name, folder: tableFolder(name), columns: tableColumnsOf(target), lineage };
}

function recordsOf(open: () => OpenFolder): SinkRecords {
  return {
    rejects: async (filter) => listRejects(open().catalog, filter),
    countRejects: async (choice) => countRejects(open().catalog, choice),
    rejectSummary: async (pipeline) => sumUpRejects(open().catalog, pipeline),
    ledger: async (filter) => listLedger(open().catalog, filter),
    checkpoints: async (pipeline, source) => listCheckpoints(open().catalog, pipeline, source),
    definition: async (pipeline, version) => readDefinition(open().catalog, pipeline, version),
    lineageOf: async (table, key) => open().query.lineageOf(table, key),
    rowsByLineage: async (table, from, to, count) => open().query.rowsByLineage(table, from, to, count),
  };
}
