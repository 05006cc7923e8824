import type { Checkpoint, Claim, Position } from "../../core/checkpoint.ts";
import { MillraceError } from "../../core/error.ts";
import type { JsonObject } from "../../core/json.ts";
import type { SinkOptions } from "../../core/pipeline.ts";
import type { Place } from "../../core/place.ts";
import type { RowSelection } from "../../core/row-selection.ts";
import type { AdapterContext, SinkFactory } from "../../ports/adapter.ts";
import type { EngineParameter, EngineRow } from "../../ports/engine.ts";
import type { PreparedTarget, Sink, SinkFacts, SinkRecords, Target, Unit } from "../../ports/sink.ts";
import { classify, explain } from "./errors.ts";
import { countIn, counting, selection } from "./keyed-rows.ts";
import { LocalSink } from "./local-sink.ts";
import { type Location, locate } from "./location.ts";
import { busyForReaders, isBusy, isLocked, type Obstacle, untilFree } from "./opening.ts";
import { findHost } from "./shared/find-host.ts";
import type { Guest } from "./shared/guest.ts";
import { shareAttachment } from "./shared/sharing.ts";
import { tellOnce } from "./shared/told.ts";
import { targetDdl } from "./target-table.ts";
import type { Way } from "./way.ts";

const facts: SinkFacts = {
  guarantee: "exactly once",
  how: "Rows, rejects, ledger and position commit in one transaction of the DuckDB file.",
  modes: ["append", "merge", "replace"],
  takes: "relation",
  unitsMax: 1,
  wholeFileUnits: true,
  serials: true,
  elsewhere: true,
};

/** Writes into a DuckDB file: `duckdb:PATH?schema=S&millrace_schema=S`. Throws URL_INVALID. */
export const duckdbSink: SinkFactory = (place: Place, options: SinkOptions, context: AdapterContext): Sink =>
  new DuckdbSink(locate(place, options), context);

/**
 * A DuckDB file, which one process can have at a time. Each time it is opened, and for each look without that, the way to
 * it is decided: on the engine of this process, or through the one that has the file and shares it.
 */
class DuckdbSink implements Sink {
  readonly shown: string;
  readonly facts = facts;
  readonly records: SinkRecords;
  readonly #location: Location;
  readonly #context: AdapterContext;
  readonly #local: LocalSink;
  /** Where work goes since `open`. */
  #work: Promise<Way> | undefined;
  /** Through which the file was read last, while it was not open. */
  #reading: Guest | undefined;
  #joining: Promise<Guest> | undefined;
  /** Whether the file is to be shared whenever this process has it. */
  #isShared = false;
  /** Ends the sharing. */
  #sharing: Promise<() => Promise<void>> | undefined;

  constructor(location: Location, context: AdapterContext) {
    this.shown = location.shown;
    this.#location = location;
    this.#context = context;
    this.#local = new LocalSink(location, context);
    this.records = this.#records();
  }

  async open(use: "write" | "read" = "write"): Promise<void> {
    if (use === "read") return this.#read((way) => way.open("read"));
    if (this.#work !== undefined) await this.#way();
    this.#work ??= this.#connect();
    try {
      await this.#work;
    } catch (error) {
      this.#work = undefined;
      throw error;
    }
  }

  ddl(target: Target): string {
    return targetDdl(target, this.#location);
  }

  async prepare(target: Target): Promise<PreparedTarget> {
    return (await this.#way()).prepare(target);
  }

  async define(pipeline: string, version: string, definition: JsonObject): Promise<void> {
    return (await this.#way()).define(pipeline, version, definition);
  }

  async claim(pipeline: string, lane: string, source: string, initial: Position): Promise<Claim> {
    return (await this.#way()).claim(pipeline, lane, source, initial);
  }

  checkpoint(pipeline: string, lane: string): Promise<Checkpoint | undefined> {
    return this.#read((way) => way.checkpoint(pipeline, lane));
  }

  async trim(pipeline: string, source: string, ageMs: number): Promise<number> {
    return (await this.#way()).trim(pipeline, source, ageMs);
  }

  async reserveBatches(count: number): Promise<bigint[]> {
    return (await this.#way()).reserveBatches(count);
  }

  async begin(target: Target, options: { readonly replace?: boolean } = {}): Promise<Unit> {
    return (await this.#way()).begin(target, options);
  }

  async *query(sql: string, parameters: readonly EngineParameter[] = []): AsyncIterable<readonly EngineRow[]> {
    const way = await this.#readingWay();
    let hasRows = false;
    let next: Way;
    try {
      for await (const rows of way.query(sql, parameters)) {
        hasRows = true;
        yield rows;
      }
      return;
    } catch (error) {
      if (hasRows) throw error;
      next = await this.#wayAfter(way, error);
    }
    yield* next.query(sql, parameters);
  }

  select(selected: RowSelection): AsyncIterable<readonly EngineRow[]> {
    const { sql, parameters } = selection(selected);
    return this.query(sql, parameters);
  }

  async count(selected: RowSelection): Promise<number> {
    const { sql, parameters } = counting(selected);
    const rows: EngineRow[] = [];
    for await (const piece of this.query(sql, parameters)) rows.push(...piece);
    return countIn(rows);
  }

  async share(): Promise<void> {
    const way = await this.#way();
    this.#isShared = true;
    // Through another process the file is shared already; it is by this one once it has the file itself.
    if (way === this.#local) await this.#beginSharing();
  }

  classify(error: unknown): ReturnType<Sink["classify"]> {
    return classify(error);
  }

  explain(error: unknown): Error {
    return explain(error, this.shown);
  }

  async close(): Promise<void> {
    const [work, sharing, reading] = [this.#work, this.#sharing, this.#reading];
    this.#work = undefined;
    this.#sharing = undefined;
    this.#reading = undefined;
    this.#isShared = false;
    // Those who began either were told when it failed.
    const way = await work?.catch(() => undefined);
    const endSharing = await sharing?.catch(() => undefined);
    await endSharing?.();
    await way?.close();
    await this.#local.close();
    await reading?.close();
  }

  #records(): SinkRecords {
    return {
      rejects: (filter) => this.#read(({ records }) => records.rejects(filter)),
      countRejects: (choice) => this.#read(({ records }) => records.countRejects(choice)),
      rejectSummary: (pipeline) => this.#read(({ records }) => records.rejectSummary(pipeline)),
      ledger: (filter) => this.#read(({ records }) => records.ledger(filter)),
      checkpoints: (pipeline, source) => this.#read(({ records }) => records.checkpoints(pipeline, source)),
      definition: (pipeline, version) => this.#read(({ records }) => records.definition(pipeline, version)),
      lineageOf: (table, key) => this.#read(({ records }) => records.lineageOf(table, key)),
      rowsByLineage: (table, from, to, max) => this.#read(({ records }) => records.rowsByLineage(table, from, to, max)),
    };
  }

  /** Where work goes: to the process that has the file now, when the one it went to has gone. */
  async #way(): Promise<Way> {
    const work = this.#work;
    if (work === undefined) {
      throw new MillraceError("INTERNAL", `${this.shown} is not open`, { remedy: "Open the sink first." });
    }
    const way = await work;
    if (!way.isLost) return way;
    if (this.#work === work) this.#reconnect(work);
    return this.#way();
  }

  /** Until it succeeds the lost way stays, so that the next to ask tries again. */
  #reconnect(lost: Promise<Way>): void {
    const connecting = this.#connect();
    this.#work = connecting;
    connecting.catch(() => {
      if (this.#work === connecting) this.#work = lost;
    });
  }

  /** Waits while another process has the file and does not share it, up to `limit.retryTotalMs`, then SINK_BUSY. */
  async #connect(): Promise<Way> {
    const way = await untilFree<Way>(this.#location, this.#context, () => this.#tryToOpen());
    if (way === this.#local && this.#isShared) await this.#beginSharing();
    return way;
  }

  async #tryToOpen(): Promise<Way | Obstacle> {
    try {
      await this.#local.open();
      return this.#local;
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (!isLocked(error)) return { error, about: undefined };
      return this.#openThrough(error);
    }
  }

  async #openThrough(locked: unknown): Promise<Way | Obstacle> {
    const found = await findHost(this.#location, this.#context, locked);
    if (!("guest" in found)) return { error: locked, about: found.about };
    const { guest } = found;
    try {
      await guest.open();
    } catch (error) {
      const isGone = guest.isLost;
      await guest.close();
      if (isGone) return { error: locked, about: undefined };
      throw error;
    }
    tellOnce(this.#context, `${this.shown} is held by a service (process ${guest.pid}); working through it`);
    return guest;
  }

  /** A look at what is committed, by whatever way there is now. */
  async #read<Result>(look: (way: Way) => Promise<Result>): Promise<Result> {
    const way = await this.#readingWay();
    try {
      return await look(way);
    } catch (error) {
      return look(await this.#wayAfter(way, error));
    }
  }

  /** Another way to look, where the file turned out to be locked or the process that has it has gone; else throws the error. */
  async #wayAfter(way: Way, error: unknown): Promise<Way> {
    if (way === this.#local && isLocked(error)) return this.#readThrough(error);
    if (way.isLost) return this.#readingWay();
    throw error;
  }

  async #readingWay(): Promise<Way> {
    if (this.#work !== undefined) return this.#way();
    return this.#reading === undefined || this.#reading.isLost ? this.#local : this.#reading;
  }

  #readThrough(locked: unknown): Promise<Guest> {
    this.#joining ??= this.#join(locked).finally(() => {
      this.#joining = undefined;
    });
    return this.#joining;
  }

  /** Throws SINK_BUSY at once when the process that has the file cannot be read through: people wait for an answer. */
  async #join(locked: unknown): Promise<Guest> {
    const found = await findHost(this.#location, this.#context, locked);
    if (!("guest" in found)) throw busyForReaders({ error: locked, about: found.about }, this.#location);
    this.#reading = found.guest;
    return found.guest;
  }

  async #beginSharing(): Promise<void> {
    this.#sharing ??= this.#local
      .attachment()
      .then((attachment) => shareAttachment(attachment, this.#context, this.shown));
    try {
      await this.#sharing;
    } catch (error) {
      this.#sharing = undefined;
      throw error;
    }
  }
}
