import { createHash, randomUUID } from "node:crypto";
import {
  type Drop,
  type FileRelation,
  MillraceError,
  type Replicas,
  type Store,
  type Ticket,
  type TicketLook,
  type TicketRepair,
  type Tickets,
  ticketTime,
  type TicketTurn,
} from "../../src/index.ts";
import type { CleanedRelation } from "./cleaning.ts";
import { contentOf, type FileFacts, fileMeta, type LoadedFacts } from "./content.ts";
import { replicaNameOf } from "./replica-files.ts";

export interface ReplicatingParts {
  readonly drop: Drop;
  readonly tickets: Tickets;
  readonly replicas: Replicas;
  readonly store: Store;
  /** What a relation shows once it is cleaned. */
  readonly clean: (given: FileRelation) => Promise<CleanedRelation>;
  /** Does work with the records of a ticket's file, cleaned. */
  readonly relation: <Result>(ticket: Ticket, work: (relation: FileRelation) => Promise<Result>) => Promise<Result>;
  readonly now: () => number;
}

/** How the load of one ticket ended. */
export type LoadOutcome =
  | {
      readonly ticket: Ticket;
      readonly replica: string;
      readonly loaded: LoadedFacts;
      readonly meta: ReadonlyMap<string, string>;
      readonly changes: readonly string[];
      readonly ms: number;
    }
  | { readonly ticket: Ticket; readonly replica: string; readonly error: MillraceError };

const stoppedKey = "registration/stopped";

/** Brings files that are announced into replicas, and takes them out again. */
export class Replicating {
  readonly #parts: ReplicatingParts;

  constructor(parts: ReplicatingParts) {
    this.#parts = parts;
  }

  tickets(): Promise<TicketLook[]> {
    return this.#parts.tickets.look();
  }

  /** Makes READY tickets REGISTERED and their replicas known. What is wrong with a ticket is told by `tickets`. */
  async register(): Promise<void> {
    await this.#parts.tickets.repair();
    await this.#each(["READY"], { waits: false }, async (turn) => {
      const file = await turn.wholeFile();
      if (file === undefined) return;
      const facts = this.#factsOf(turn.ticket, file.sizeBytes, turn.ticket.loadDttm ?? ticketTime(this.#parts.now()));
      await this.#parts.replicas.register(facts.replica, fileMeta(facts));
      await turn.change("REGISTERED");
    });
  }

  /** Loads REGISTERED tickets, and with `force` PROCESSED ones too, one after the other. */
  async load(force: boolean): Promise<LoadOutcome[]> {
    await this.#parts.tickets.repair();
    const outcomes: LoadOutcome[] = [];
    const states = force ? (["REGISTERED", "PROCESSED"] as const) : (["REGISTERED"] as const);
    for (const { name, ticket, fault } of await this.tickets()) {
      if (ticket === undefined || !states.some((state) => state === ticket.status)) continue;
      if (fault !== undefined) {
        outcomes.push({ ticket, replica: replicaNameOf(ticket.fileName), error: fault });
        continue;
      }
      const outcome = await this.#parts.tickets.work(name, states, true, (turn) => this.#loadOne(turn));
      if (outcome !== undefined) outcomes.push(outcome);
    }
    return outcomes;
  }

  /** Removes the replicas of PROCESSED tickets, which are READY again then. */
  async unregister(): Promise<void> {
    await this.#parts.tickets.repair();
    await this.#each(["PROCESSED"], { waits: true, faulty: true }, async (turn) => {
      await turn.note({ step: "unregister" });
      await this.#parts.replicas.remove(replicaNameOf(turn.ticket.fileName));
      await turn.change("READY");
    });
    if ((await this.#parts.store.get(stoppedKey)) !== undefined) await this.stopRegistering();
  }

  /** No registration by schedule before another ticket appears than those that are there. */
  async stopRegistering(): Promise<void> {
    await this.#parts.store.put(
      stoppedKey,
      (await this.#marks()).map(({ mark }) => mark),
    );
  }

  /** What the schedule does. */
  async tick(): Promise<void> {
    const stopped = await this.#parts.store.get(stoppedKey);
    if (stopped !== undefined) {
      const known = new Set(stopped.value as readonly string[]);
      if ((await this.#marks()).every(({ mark, status }) => known.has(mark) || status !== "READY")) {
        await this.#parts.tickets.repair();
        return;
      }
      await this.#parts.store.remove(stoppedKey);
    }
    await this.register();
  }

  async #loadOne(turn: TicketTurn): Promise<LoadOutcome> {
    const { ticket } = turn;
    const replica = replicaNameOf(ticket.fileName);
    const startedMs = this.#parts.now();
    try {
      const file = await turn.wholeFile();
      if (file === undefined) throw stillGrows(ticket);
      const facts = this.#factsOf(ticket, file.sizeBytes, ticketTime(startedMs));
      const done = await this.#parts.relation(ticket, (given) => this.#write(given, turn, facts));
      const changed = await turn.change("PROCESSED", facts.loadDttm);
      return { ...done, ticket: changed, replica, ms: this.#parts.now() - startedMs };
    } catch (error) {
      // Of one file; what is wrong with the store or with this process's turn is wrong for all of them.
      if (!(error instanceof MillraceError) || !aboutOneFile.test(error.code)) throw error;
      return { ticket, replica, error };
    }
  }

  async #write(
    given: FileRelation,
    turn: TicketTurn,
    facts: FileFacts,
  ): Promise<{ loaded: LoadedFacts; meta: ReadonlyMap<string, string>; changes: readonly string[] }> {
    const id = randomUUID();
    const cleaned = await this.#parts.clean(given);
    const { content, loaded } = await contentOf(given, cleaned, turn.ticket, { ...facts, id });
    await turn.note({ step: "load", id, loadDttm: facts.loadDttm });
    await this.#parts.replicas.write(facts.replica, content);
    return { loaded, meta: content.meta, changes: cleaned.changes };
  }

  #factsOf({ fileName }: Ticket, sizeBytes: number, loadDttm: string): FileFacts {
    return { replica: replicaNameOf(fileName), path: this.#parts.drop.path(fileName), sizeBytes, loadDttm };
  }

  async #each(
    states: Parameters<Tickets["work"]>[1],
    { waits, faulty = false }: { readonly waits: boolean; readonly faulty?: boolean },
    work: (turn: TicketTurn) => Promise<void>,
  ): Promise<void> {
    const names = (await this.tickets())
      .filter(
        ({ ticket, fault }) =>
          ticket !== undefined && states.includes(ticket.status) && (faulty || fault === undefined),
      )
      .map(({ name }) => name);
    for (const name of names) {
      try {
        await this.#parts.tickets.work(name, states, waits, work);
      } catch (error) {
        // What is wrong with one file is told by `tickets`, and keeps no other from its turn.
        if (!(error instanceof MillraceError) || !aboutOneFile.test(error.code)) throw error;
      }
    }
  }

  async #marks(): Promise<{ readonly mark: string; readonly status: string }[]> {
    return (await this.tickets()).map(({ name, ticket }) => {
      const said = `${name}\n${ticket === undefined ? "" : JSON.stringify(ticket.fields)}`;
      return { mark: createHash("sha256").update(said).digest("hex").slice(0, 24), status: ticket?.status ?? "" };
    });
  }
}

/** Whether what a process that died had begun was done: the replica says so. */
export function repairWith(replicas: Replicas): TicketRepair {
  return async (ticket, left) => {
    const found = await replicas.look(replicaNameOf(ticket.fileName));
    if (left["step"] === "unregister") return found === undefined ? { status: "READY" } : undefined;
    if (left["step"] !== "load" || found === undefined || found.id !== left["id"]) return undefined;
    const { loadDttm } = left;
    return { status: "PROCESSED", ...(typeof loadDttm === "string" ? { loadDttm } : {}) };
  };
}

const aboutOneFile = /^(FILE_|HEADER_|COLUMNS_|CONTRACT_|FENCED$)/;

function stillGrows({ fileName }: Ticket): MillraceError {
  return new MillraceError("FILE_CHANGED", `${fileName} still grows`, {
    remedy: "Load it when it is whole.",
    at: { source: fileName },
  });
}
