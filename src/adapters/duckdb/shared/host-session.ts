import type { Socket } from "node:net";
import { MillraceError } from "../../../core/error.ts";
import type { AdapterContext } from "../../../ports/adapter.ts";
import type { Reject } from "../../../core/reject.ts";
import { LocalSink } from "../local-sink.ts";
import type { Location } from "../location.ts";
import { GuestUnits } from "./guest-units.ts";
import { type Answers, Peer } from "./peer.ts";
import type { CallAnswers, ListAnswers, Lists } from "./protocol.ts";

/** A guest that was let in, and what it works with. */
export interface Admission {
  readonly socket: Socket;
  readonly frames: AsyncIterable<Buffer>;
  readonly location: Location;
  /** A folder of this session's own, which may not be there yet. */
  readonly folder: string;
}

/** One guest's work on the host's engine: a view of the file with the guest's own schemas, and the units it has open. */
export class HostSession {
  /** Resolves when the guest has gone and what it had open is rolled back. */
  readonly ended: Promise<void>;
  readonly #peer: Peer;
  readonly #view: LocalSink;
  readonly #units: GuestUnits;

  constructor({ socket, frames, location, folder }: Admission, context: AdapterContext) {
    this.#view = new LocalSink(location, context);
    this.#units = new GuestUnits(folder, context, (write, refusals) => {
      // The guest is of the same version and answers by the same table.
      return this.#peer.list("refuse", [write, refusals]) as AsyncIterable<readonly Reject[]>;
    });
    this.#peer = new Peer(socket, frames, this.#answers, guestGone);
    this.ended = this.#peer.gone.then(() => this.#end());
  }

  /** Ends the connection; `ended` tells when all is rolled back. */
  leave(): void {
    this.#peer.end();
  }

  async #end(): Promise<void> {
    await this.#units.end();
    await this.#view.close();
  }

  readonly #answers: Answers = (name, args) => {
    if (Object.hasOwn(this.#calls, name)) return answerOf(this.#calls[name as keyof CallAnswers])(...args);
    if (Object.hasOwn(this.#lists, name)) return answerOf(this.#lists[name as keyof Lists])(...args);
    throw new TypeError(`a host does not answer "${name}"`);
  };

  readonly #calls: CallAnswers = {
    open: (use) => this.#view.open(use),
    prepare: (target) => this.#view.prepare(target),
    define: (pipeline, version, definition) => this.#view.define(pipeline, version, definition),
    claim: (pipeline, lane, source, initial) => this.#view.claim(pipeline, lane, source, initial),
    checkpoint: (pipeline, lane) => this.#view.checkpoint(pipeline, lane),
    trim: (pipeline, source, ageMs) => this.#view.trim(pipeline, source, ageMs),
    reserveBatches: (count) => this.#view.reserveBatches(count),
    begin: (target, options) => this.#units.begin(this.#view.begin(target, options)),
    stage: (unit, items) => this.#units.stage(unit, items),
    write: (unit, batch) => this.#units.write(unit, batch),
    lock: (unit, keys) => this.#units.lock(unit, keys),
    commit: (unit) => this.#units.commit(unit),
    rollback: (unit) => this.#units.rollback(unit),
    countRejects: (choice) => this.#view.records.countRejects(choice),
    definition: (pipeline, version) => this.#view.records.definition(pipeline, version),
    close: () => this.#end(),
  };

  readonly #lists: ListAnswers<Lists> = {
    rejects: (filter) => inOne(this.#view.records.rejects(filter)),
    rejectSummary: (pipeline) => inOne(this.#view.records.rejectSummary(pipeline)),
    ledger: (filter) => inOne(this.#view.records.ledger(filter)),
    checkpoints: (pipeline, source) => inOne(this.#view.records.checkpoints(pipeline, source)),
    lineageOf: (table, key) => inOne(this.#view.records.lineageOf(table, key)),
    rowsByLineage: (table, from, to, limit) => inOne(this.#view.records.rowsByLineage(table, from, to, limit)),
    query: (sql, parameters) => this.#view.query(sql, parameters),
  };
}

/** An answer as it is called with what came over the socket, which the guest's own table has shaped. */
function answerOf(
  answer: (...args: never[]) => ReturnType<Answers>,
): (...args: readonly unknown[]) => ReturnType<Answers> {
  return answer as (...args: readonly unknown[]) => ReturnType<Answers>;
}

async function* inOne<Item>(items: Promise<readonly Item[]>): AsyncIterable<readonly Item[]> {
  yield await items;
}

function guestGone(): MillraceError {
  return new MillraceError("SINK_UNREACHABLE", "The process that worked through this one has gone", {
    remedy: "Its unit was rolled back: run it again there.",
  });
}
