import type { Socket } from "node:net";
import type { Checkpoint, Claim, Position } from "../../../core/checkpoint.ts";
import { MillraceError } from "../../../core/error.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { AdapterContext } from "../../../ports/adapter.ts";
import type { EngineParameter, EngineRow } from "../../../ports/engine.ts";
import type { PreparedTarget, SinkRecords, Target, Unit } from "../../../ports/sink.ts";
import type { Way } from "../way.ts";
import { GuestUnit } from "./guest-unit.ts";
import { Peer } from "./peer.ts";
import type { Calls, Lists } from "./protocol.ts";
import { SentBatches } from "./sent-batches.ts";

/** A connection to the host that has let this process in. */
export interface GuestConnection {
  readonly socket: Socket;
  readonly frames: AsyncIterable<Buffer>;
  /** Of the host. */
  readonly pid: number;
  readonly shown: string;
}

/** Works with the file through the process that has it. Once that has gone every method rejects with SINK_UNREACHABLE. */
export class Guest implements Way {
  readonly pid: number;
  readonly records: SinkRecords;
  readonly #peer: Peer;
  readonly #shown: string;
  readonly #context: AdapterContext;
  readonly #batches = new SentBatches();
  #isClosed = false;

  constructor({ socket, frames, pid, shown }: GuestConnection, context: AdapterContext) {
    this.pid = pid;
    this.#shown = shown;
    this.#context = context;
    this.#peer = new Peer(socket, frames, this.#batches.answers, (cause) => this.#lost(cause));
    this.records = this.#records();
  }

  get isLost(): boolean {
    return this.#peer.isLost;
  }

  open(use: "write" | "read" = "write"): Promise<void> {
    return this.#call("open", use);
  }

  prepare(target: Target): Promise<PreparedTarget> {
    return this.#call("prepare", target);
  }

  define(pipeline: string, version: string, definition: JsonObject): Promise<void> {
    return this.#call("define", pipeline, version, definition);
  }

  claim(pipeline: string, lane: string, source: string, initial: Position): Promise<Claim> {
    return this.#call("claim", pipeline, lane, source, initial);
  }

  checkpoint(pipeline: string, lane: string): Promise<Checkpoint | undefined> {
    return this.#call("checkpoint", pipeline, lane);
  }

  trim(pipeline: string, source: string, ageMs: number): Promise<number> {
    return this.#call("trim", pipeline, source, ageMs);
  }

  reserveBatches(count: number): Promise<bigint[]> {
    return this.#call("reserveBatches", count);
  }

  async begin(target: Target, options: { readonly replace?: boolean } = {}): Promise<Unit> {
    const begun = await this.#call("begin", target, options);
    return new GuestUnit(begun, target, {
      call: (name, ...args) => this.#call(name, ...args),
      batches: this.#batches,
      engine: this.#context.engine,
      leave: () => this.#peer.end(),
    });
  }

  query(sql: string, parameters: readonly EngineParameter[] = []): AsyncIterable<readonly EngineRow[]> {
    return this.#list("query", sql, parameters);
  }

  /** The host rolls back the units that are open; so it does when it cannot be told any more. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.#call("close");
    } catch (error) {
      if (!this.isLost) throw error;
    } finally {
      this.#peer.end();
      await this.#peer.gone;
    }
  }

  #records(): SinkRecords {
    return {
      rejects: (filter) => this.#all("rejects", filter),
      countRejects: (choice) => this.#call("countRejects", choice),
      rejectSummary: (pipeline) => this.#all("rejectSummary", pipeline),
      ledger: (filter) => this.#all("ledger", filter),
      checkpoints: (pipeline, source) => this.#all("checkpoints", pipeline, source),
      definition: (pipeline, version) => this.#call("definition", pipeline, version),
      lineageOf: (table, key) => this.#all("lineageOf", table, key),
      rowsByLineage: (table, from, to, limit) => this.#all("rowsByLineage", table, from, to, limit),
    };
  }

  async #call<Name extends keyof Calls>(
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<ReturnType<Calls[Name]>> {
    try {
      // The host is of the same version and answers by the same table.
      return (await this.#peer.call(name, args)) as ReturnType<Calls[Name]>;
    } catch (error) {
      throw this.#told(error);
    }
  }

  async *#list<Name extends keyof Lists>(
    name: Name,
    ...args: Parameters<Lists[Name]>
  ): AsyncIterable<readonly ReturnType<Lists[Name]>[]> {
    try {
      yield* this.#peer.list(name, args) as AsyncIterable<readonly ReturnType<Lists[Name]>[]>;
    } catch (error) {
      throw this.#told(error);
    }
  }

  async #all<Name extends keyof Lists>(
    name: Name,
    ...args: Parameters<Lists[Name]>
  ): Promise<ReturnType<Lists[Name]>[]> {
    const all: ReturnType<Lists[Name]>[] = [];
    for await (const items of this.#list(name, ...args)) all.push(...items);
    return all;
  }

  /** The host's budget is not the one that people would raise here. */
  #told(error: unknown): unknown {
    if (!(error instanceof MillraceError) || error.code !== "MEMORY") return error;
    return new MillraceError(
      "MEMORY",
      `In the service that has ${this.#shown} (process ${this.pid}): ${error.message}`,
      {
        remedy: "Start the service with a higher --memory.",
        cause: error,
      },
    );
  }

  #lost(cause: unknown): Error {
    if (this.#isClosed) {
      return new MillraceError("INTERNAL", `${this.#shown} is closed`, { remedy: "Open the sink first." });
    }
    return new MillraceError(
      "SINK_UNREACHABLE",
      `The service that held ${this.#shown} (process ${this.pid}) has gone`,
      { remedy: "Run it again: what was committed stays, and nothing else was written.", cause },
    );
  }
}
