import { toMillraceError, MillraceError } from "../core/error.ts";
import type { JsonObject } from "../core/json.ts";
import { limit } from "../core/limit.ts";
import { changedTicket, parseTicket, type Ticket, ticketEnding, type TicketState, ticketText } from "../core/ticket.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Drop, DropFile } from "../ports/drop.ts";
import type { Store } from "../ports/store.ts";
import { Lease } from "./lease.ts";

export interface TicketsParts {
  readonly drop: Drop;
  /** Where it is kept which process works on which ticket; all who share the folder share it. */
  readonly store: Store;
  readonly context: Pick<AdapterContext, "now" | "pause">;
  /** Why a file of that name cannot be announced here; undefined when it can. */
  readonly refuses?: (fileName: string) => string | undefined;
  /** What two tickets may not have alike; the file's name when absent. */
  readonly nameOf?: (fileName: string) => string;
  /** How long a file must have stayed the same; 500 when absent. */
  readonly stableMs?: number;
}

/** A ticket as it stands, or what is wrong with it. */
export interface TicketLook {
  /** The ticket's name without its ending. */
  readonly name: string;
  readonly ticket: Ticket | undefined;
  /** The data file, where it is there. */
  readonly file: DropFile | undefined;
  readonly fault: MillraceError | undefined;
}

/** One ticket while this process alone works on it. */
export interface TicketTurn {
  /** As it stood when the turn began. */
  readonly ticket: Ticket;
  /** The data file; undefined while it still grows, or is written to. Throws FILE_MISSING, FILE_NOT_A_FILE, FILE_FORMAT. */
  wholeFile(): Promise<DropFile | undefined>;
  /** Keeps what is about to be done: should this process die, whoever is next gets it as what is `left`. */
  note(note: JsonObject): Promise<void>;
  /** Rewrites the ticket at once and whole, where it is another one then. */
  change(status: TicketState, loadDttm?: string): Promise<Ticket>;
}

/** Says of what was `left` by a process that died whether it was done: what the ticket is to become then. */
export type TicketRepair = (
  ticket: Ticket,
  left: JsonObject,
) => Promise<{ readonly status: TicketState; readonly loadDttm?: string } | undefined>;

const standardStableMs = 500;

/** Data files of a folder, each announced by a ticket whose state says how far it is. */
export class Tickets {
  readonly #parts: TicketsParts;
  readonly #repair: TicketRepair;
  readonly #prefix: string;
  /** Versions of files and since when they have been so. */
  #seen = new Map<string, { readonly version: string; readonly sinceMs: number }>();

  constructor(parts: TicketsParts, repair: TicketRepair) {
    this.#parts = parts;
    this.#repair = repair;
    this.#prefix = "ticket/";
  }

  /** All tickets by name. One that is broken is among them, with its fault, and keeps no other from being seen. */
  async look(): Promise<TicketLook[]> {
    const files = new Map((await this.#parts.drop.list()).map((file) => [file.name, file]));
    this.#forgetOthers(files);
    const looks: TicketLook[] = [];
    const owners = new Map<string, string>();
    for (const { name: fileName } of files.values()) {
      if (!fileName.endsWith(ticketEnding) || fileName === ticketEnding) continue;
      const look = await this.#lookAt(fileName.slice(0, -ticketEnding.length));
      if (look !== undefined) looks.push(withoutTwin(look, owners, this.#parts.nameOf));
    }
    return looks;
  }

  /**
   * Does `work` on a ticket that is in one of `states`, when no other process works on it, be it in this process or
   * another. `waits`: for whoever does; otherwise the ticket is left to them. Undefined when nothing was to be done.
   */
  async work<Result>(
    name: string,
    states: readonly TicketState[],
    waits: boolean,
    work: (turn: TicketTurn) => Promise<Result>,
  ): Promise<Result | undefined> {
    const { store, context } = this.#parts;
    const lease = await Lease.take(this.#prefix + name, { store, context }, { waits });
    if (lease === undefined) return undefined;
    try {
      const ticket = await this.#repaired(name, lease);
      if (ticket === undefined || !states.includes(ticket.status)) return undefined;
      const result = await work(this.#turn(ticket, lease));
      await lease.note(undefined);
      return result;
    } finally {
      await lease.release();
    }
  }

  /** Finishes what processes that died have begun, and forgets who worked on tickets that are gone. */
  async repair(): Promise<void> {
    const { store, drop, context } = this.#parts;
    for await (const { key, value } of store.entries(this.#prefix)) {
      const name = key.slice(this.#prefix.length);
      const isGone = (await drop.look(name + ticketEnding).catch(() => undefined)) === undefined;
      const isNoted = typeof value === "object" && value !== null && "note" in value;
      if (!isNoted && !isGone) continue;
      const lease = await Lease.take(key, { store, context }, { waits: false });
      if (lease === undefined) continue;
      try {
        await this.#repaired(name, lease);
      } finally {
        await lease.release();
      }
      if (isGone) await store.remove(key);
    }
  }

  async #lookAt(name: string): Promise<TicketLook | undefined> {
    try {
      const ticket = await this.#read(name);
      if (ticket === undefined) return undefined;
      try {
        const file = await this.#fileOf(ticket);
        this.#note(file);
        return { name, ticket, file, fault: undefined };
      } catch (error) {
        return { name, ticket, file: undefined, fault: toMillraceError(error) };
      }
    } catch (error) {
      return { name, ticket: undefined, file: undefined, fault: toMillraceError(error) };
    }
  }

  /** Undefined when it is gone. Throws FILE_FORMAT, FILE_NOT_A_FILE, FILE_UNREADABLE. */
  async #read(name: string): Promise<Ticket | undefined> {
    try {
      const bytes = await this.#parts.drop.read(name + ticketEnding, limit.ticketBytes);
      return parseTicket(name, new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (error) {
      if (error instanceof MillraceError && error.code === "FILE_MISSING") return undefined;
      if (error instanceof MillraceError) throw error;
      throw new MillraceError("FILE_FORMAT", `The ticket ${name}${ticketEnding} cannot be used: it is not UTF-8`, {
        remedy: "Write it anew.",
        cause: error,
      });
    }
  }

  async #fileOf({ fileName }: Ticket): Promise<DropFile> {
    const { refuses, drop } = this.#parts;
    const why = refuses?.(fileName);
    if (why !== undefined) {
      throw new MillraceError("FILE_FORMAT", `${fileName} cannot be announced: ${why}`, {
        remedy: "Give the file another name, or another kind, and its ticket too.",
        at: { source: fileName },
      });
    }
    const file = await drop.look(fileName);
    if (file !== undefined) return file;
    throw new MillraceError("FILE_MISSING", `${fileName} is announced, and not there`, {
      remedy: "Put the file beside its ticket, or remove the ticket.",
      at: { source: fileName },
    });
  }

  /** The file once it stays the same; undefined while it grows. */
  async #wholeFile(ticket: Ticket): Promise<DropFile | undefined> {
    const { context, stableMs = standardStableMs } = this.#parts;
    const file = await this.#fileOf(ticket);
    const leftMs = stableMs - (context.now() - this.#note(file));
    if (leftMs <= 0) return file;
    await context.pause(leftMs);
    const again = await this.#fileOf(ticket);
    this.#note(again);
    return again.version === file.version ? again : undefined;
  }

  /** Since when the file has been as it is. */
  #note({ name, version }: DropFile): number {
    const seen = this.#seen.get(name);
    const sinceMs = seen?.version === version ? seen.sinceMs : this.#parts.context.now();
    this.#seen.set(name, { version, sinceMs });
    return sinceMs;
  }

  /** The ticket as it stands once what was left half-done is finished. */
  async #repaired(name: string, lease: Lease): Promise<Ticket | undefined> {
    const ticket = await this.#read(name);
    if (lease.left === undefined) return ticket;
    const change = ticket === undefined ? undefined : await this.#repair(ticket, lease.left);
    const repaired =
      ticket === undefined || change === undefined
        ? ticket
        : await this.#rewrite(ticket, changedTicket(ticket, change.status, change.loadDttm), lease);
    await lease.note(undefined);
    return repaired;
  }

  async #rewrite(before: Ticket, after: Ticket, lease: Lease): Promise<Ticket> {
    if (ticketText(before) === ticketText(after)) return before;
    lease.require();
    await this.#parts.drop.replace(before.name + ticketEnding, Buffer.from(ticketText(after)));
    return after;
  }

  #turn(ticket: Ticket, lease: Lease): TicketTurn {
    return {
      ticket,
      wholeFile: () => this.#wholeFile(ticket),
      note: (note) => lease.note(note),
      change: (status, loadDttm) => this.#rewrite(ticket, changedTicket(ticket, status, loadDttm), lease),
    };
  }

  #forgetOthers(files: ReadonlyMap<string, DropFile>): void {
    this.#seen = new Map([...this.#seen].filter(([name]) => files.has(name)));
  }
}

/** Of two tickets for one thing the first counts. */
function withoutTwin(
  look: TicketLook,
  owners: Map<string, string>,
  nameOf: (fileName: string) => string = (fileName) => fileName,
): TicketLook {
  if (look.ticket === undefined) return look;
  const thing = nameOf(look.ticket.fileName);
  const owner = owners.get(thing);
  owners.set(thing, owner ?? look.name);
  if (owner === undefined) return look;
  const fault = new MillraceError(
    "FILE_FORMAT",
    `The ticket ${look.name}${ticketEnding} is a second one for ${thing}`,
    {
      remedy: `Remove it, or ${owner}${ticketEnding}.`,
      at: { source: look.name + ticketEnding },
    },
  );
  return { ...look, fault };
}
