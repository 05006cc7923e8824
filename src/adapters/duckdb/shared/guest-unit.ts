import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { RowKey } from "../../../core/row-selection.ts";
import type { EngineHost, EngineRow } from "../../../ports/engine.ts";
import type { SinkBatch, Target, Unit, WriteResult } from "../../../ports/sink.ts";
import { over } from "../unit-errors.ts";
import { piecesOf, rejectBytes, textBytes } from "./pieces.ts";
import type { BegunUnit, Calls, SentBatch, StagedItems } from "./protocol.ts";
import { writeRowFile } from "./row-file.ts";
import type { SentBatches } from "./sent-batches.ts";

/** What a unit has of its guest. */
export interface UnitConnection {
  call<Name extends keyof Calls>(name: Name, ...args: Parameters<Calls[Name]>): Promise<ReturnType<Calls[Name]>>;
  readonly batches: SentBatches;
  readonly engine: EngineHost;
  /** Ends the connection, with which the host rolls back all that is open. */
  leave(): void;
}

/** A transaction on the host. Rows go there in a file, all else over the socket. */
export class GuestUnit implements Unit {
  readonly #begun: BegunUnit;
  readonly #target: Target;
  readonly #connection: UnitConnection;
  #state: "open" | "failed" | "ended" = "open";

  constructor(begun: BegunUnit, target: Target, connection: UnitConnection) {
    this.#begun = begun;
    this.#target = target;
    this.#connection = connection;
  }

  async write(batch: SinkBatch): Promise<WriteResult> {
    if (this.#state !== "open") throw over();
    try {
      return await this.#connection.batches.during(batch, (write) => this.#write(batch, write));
    } catch (error) {
      this.#fail();
      throw error;
    }
  }

  async lock(keys: readonly RowKey[]): Promise<readonly (EngineRow | undefined)[]> {
    if (this.#state !== "open") throw over();
    try {
      return await this.#connection.call("lock", this.#begun.unit, keys);
    } catch (error) {
      this.#fail();
      throw error;
    }
  }

  async commit(): Promise<void> {
    if (this.#state !== "open") throw over();
    try {
      await this.#connection.call("commit", this.#begun.unit);
      this.#state = "ended";
    } catch (error) {
      this.#fail();
      throw error;
    }
  }

  async rollback(): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "ended";
    try {
      await this.#connection.call("rollback", this.#begun.unit);
    } catch {
      // Not to be reached: the host ends the unit with the connection. If it was killed, its files are left to this process.
      this.#connection.leave();
      await rm(this.#begun.folder, { recursive: true, force: true }).catch(() => undefined);
    }
  }

  async #write(batch: SinkBatch, write: number): Promise<WriteResult> {
    const { rows, rejects, messageIds = [] } = batch;
    const file = rows.count === 0 || this.#target.elsewhere === true ? undefined : `${write}.parquet`;
    if (file !== undefined) await writeRowFile(this.#connection.engine, rows, join(this.#begun.folder, file));
    for (const some of piecesOf(rejects, rejectBytes)) await this.#stage({ rejects: some });
    for (const some of piecesOf(messageIds, textBytes)) await this.#stage({ messageIds: some });
    return this.#connection.call("write", this.#begun.unit, sentBatch(batch, write, file));
  }

  #stage(items: StagedItems): Promise<void> {
    return this.#connection.call("stage", this.#begun.unit, items);
  }

  #fail(): void {
    if (this.#state === "open") this.#state = "failed";
  }
}

/** What of a batch goes with the call that has it written. */
function sentBatch(batch: SinkBatch, write: number, file: string | undefined): SentBatch {
  const { claim, run, version, source, start, end, read, filtered, format, startedAt, replays, removes, rows } = batch;
  return {
    ...{ claim, batch: batch.batch, run, version, source, start, end, read, filtered, format, startedAt },
    ...(replays === undefined ? {} : { replays }),
    ...(removes === undefined ? {} : { removes }),
    ...{ write, columns: rows.columns, count: rows.count, file },
  };
}
