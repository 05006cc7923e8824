import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../../../core/error.ts";
import { limit } from "../../../core/limit.ts";
import type { Reject } from "../../../core/reject.ts";
import type { RowKey } from "../../../core/row-selection.ts";
import type { AdapterContext } from "../../../ports/adapter.ts";
import type { EngineRow } from "../../../ports/engine.ts";
import type { WriteResult } from "../../../ports/sink.ts";
import type { DuckdbUnit } from "../unit.ts";
import { over } from "../unit-errors.ts";
import { type AskForRejects, guestBatch } from "./guest-batch.ts";
import { IdleWatch } from "./idle-watch.ts";
import type { BegunUnit, SentBatch, StagedItems } from "./protocol.ts";

/** A unit that a guest has open. */
interface OpenUnit {
  readonly unit: DuckdbUnit;
  /** Where its rows come as files. They stay to its end, as it may have to write them once more. */
  readonly folder: string;
  readonly idle: IdleWatch;
  rejects: Reject[];
  messageIds: string[];
  isAbandoned: boolean;
}

/**
 * The units that a guest has open on the host, by number. Only one unit writes at a time, so one whose guest hangs is
 * rolled back after `limit.idleInTransactionMs`.
 */
export class GuestUnits {
  readonly #folder: string;
  readonly #context: AdapterContext;
  readonly #ask: AskForRejects;
  readonly #units = new Map<number, OpenUnit>();
  #numbers = 0;
  #isEnded = false;

  /** Folders of units are made in `folder`, which is made with the first of them. */
  constructor(folder: string, context: AdapterContext, ask: AskForRejects) {
    this.#folder = folder;
    this.#context = context;
    this.#ask = ask;
  }

  async begin(beginning: Promise<DuckdbUnit>): Promise<BegunUnit> {
    const unit = await beginning;
    this.#numbers += 1;
    const number = this.#numbers;
    const folder = join(this.#folder, String(number));
    const idle = new IdleWatch(this.#context, limit.idleInTransactionMs, () => this.#abandon(number));
    this.#units.set(number, { unit, folder, idle, rejects: [], messageIds: [], isAbandoned: false });
    try {
      // The guest has gone while its unit waited for its turn.
      if (this.#isEnded) throw over();
      await mkdir(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      await this.rollback(number);
      throw error;
    }
    idle.rest();
    return { unit: number, folder };
  }

  async stage(number: number, { rejects = [], messageIds = [] }: StagedItems): Promise<void> {
    const open = this.#open(number);
    open.rejects.push(...rejects);
    open.messageIds.push(...messageIds);
    open.idle.rest();
  }

  write(number: number, sent: SentBatch): Promise<WriteResult> {
    const open = this.#open(number);
    const { rejects, messageIds } = open;
    open.rejects = [];
    open.messageIds = [];
    return open.idle.during(() => open.unit.take(guestBatch(sent, { rejects, messageIds }, open.folder, this.#ask)));
  }

  lock(number: number, keys: readonly RowKey[]): Promise<readonly (EngineRow | undefined)[]> {
    const open = this.#open(number);
    return open.idle.during(() => open.unit.lock(keys));
  }

  async commit(number: number): Promise<void> {
    const { unit, idle } = this.#open(number);
    await idle.during(() => unit.commit());
    await this.#end(number);
  }

  async rollback(number: number): Promise<void> {
    await this.#units.get(number)?.unit.rollback();
    await this.#end(number);
  }

  /** Rolls back what is open. */
  async end(): Promise<void> {
    this.#isEnded = true;
    await Promise.all([...this.#units.keys()].map((number) => this.rollback(number)));
    await rm(this.#folder, { recursive: true, force: true }).catch(() => undefined); // goes with the host's folder then
  }

  #open(number: number): OpenUnit {
    const open = this.#units.get(number);
    if (open === undefined) throw over();
    if (open.isAbandoned) throw abandoned();
    return open;
  }

  /** Its turn goes to others; its guest is told when it comes back to it. */
  async #abandon(number: number): Promise<void> {
    const open = this.#units.get(number);
    if (open === undefined) return;
    open.isAbandoned = true;
    await open.unit.rollback();
  }

  async #end(number: number): Promise<void> {
    const open = this.#units.get(number);
    if (open === undefined) return;
    this.#units.delete(number);
    open.idle.end();
    // What cannot be removed now goes with the session's folder: a commit that is durable has not failed by it.
    await rm(open.folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

function abandoned(): MillraceError {
  const seconds = limit.idleInTransactionMs / 1000;
  return new MillraceError(
    "SINK_BUSY",
    `A unit that stood still for ${seconds} s was rolled back for others to write`,
    {
      remedy: "Nothing is lost: it is written again.",
    },
  );
}
