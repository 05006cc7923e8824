import { basename, dirname } from "node:path";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import type { SourceOptions } from "../core/pipeline.ts";
import { changedTicket, parseTicket, type Ticket, ticketEnding, ticketText, ticketTime } from "../core/ticket.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Drop } from "../ports/drop.ts";
import type { FileEntry } from "../ports/files.ts";

/** Says which files of a drop may be read, and notes which have been. */
export interface ReadyGate {
  /** It takes a second look, so much later, to tell. */
  readonly tellsAfterMs?: number;
  /** Of these entries those that are ready, in their order. */
  ready(entries: readonly FileEntry[]): Promise<readonly FileEntry[]>;
  /** The file is loaded; `end` as for the file itself. Doing it twice is harmless. */
  settle(path: string, end: "keep" | "delete" | "archive", archiveFolder: string): Promise<void>;
}

export interface GateParts {
  readonly context: Pick<AdapterContext, "now" | "pause" | "notice">;
  /** The drop that a folder is. */
  readonly drop: (folder: string) => Promise<Drop>;
}

export const doneEnding = ".done";

/** The gate that the options ask for; undefined when every file is ready as soon as it is there. */
export function gateOf(ready: SourceOptions["ready"], parts: GateParts): ReadyGate | undefined {
  if (ready === undefined) return undefined;
  if (ready === "ticket") return new TicketGate(parts);
  return ready === "done-file" ? new DoneFileGate(parts) : new StableGate(ready.stableMs, parts);
}

/** A file is whole once it has stayed the same for a time. */
class StableGate implements ReadyGate {
  readonly tellsAfterMs: number;
  readonly #parts: GateParts;
  #seen = new Map<string, { readonly version: string; readonly sinceMs: number }>();

  constructor(stableMs: number, parts: GateParts) {
    this.tellsAfterMs = stableMs;
    this.#parts = parts;
  }

  async ready(entries: readonly FileEntry[]): Promise<readonly FileEntry[]> {
    const { context } = this.#parts;
    const before = this.#seen;
    this.#seen = new Map(
      entries.map(({ path, version }) => {
        const seen = before.get(path);
        return [path, seen?.version === version ? seen : { version, sinceMs: context.now() }];
      }),
    );
    const isStable = ({ path }: FileEntry): boolean =>
      context.now() - (this.#seen.get(path)?.sinceMs ?? context.now()) >= this.tellsAfterMs;
    return entries.filter(isStable);
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }
}

/** `NAME.csv.done`, or `NAME.done`, says that `NAME.csv` is whole. */
class DoneFileGate implements ReadyGate {
  readonly #parts: GateParts;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  async ready(entries: readonly FileEntry[]): Promise<readonly FileEntry[]> {
    const found: FileEntry[] = [];
    for (const entry of entries) {
      if (!entry.path.endsWith(doneEnding) && (await this.#doneFile(entry.path)) !== undefined) found.push(entry);
    }
    return found;
  }

  async settle(path: string, end: "keep" | "delete" | "archive", archiveFolder: string): Promise<void> {
    const name = end === "keep" ? undefined : await this.#doneFile(path);
    if (name === undefined) return;
    const drop = await this.#parts.drop(dirname(path));
    if (end === "archive") await drop.archive(name, archiveFolder);
    else await drop.remove(name);
  }

  async #doneFile(path: string): Promise<string | undefined> {
    const drop = await this.#parts.drop(dirname(path));
    const file = basename(path);
    for (const name of new Set([file + doneEnding, stemOf(file) + doneEnding])) {
      if ((await drop.look(name)) !== undefined) return name;
    }
    return undefined;
  }
}

/** A ticket that is READY or REGISTERED announces the file; once it is loaded it is PROCESSED. */
class TicketGate implements ReadyGate {
  readonly #parts: GateParts;
  readonly #told = new Set<string>();

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  async ready(entries: readonly FileEntry[]): Promise<readonly FileEntry[]> {
    const found: FileEntry[] = [];
    for (const entry of entries) {
      const ticket = entry.path.endsWith(ticketEnding) ? undefined : await this.#ticketOf(entry.path);
      if (ticket !== undefined && ticket.status !== "PROCESSED") found.push(entry);
    }
    return found;
  }

  /** By whom the lane belongs to alone, as all that is settled: its claim keeps others from it. */
  async settle(path: string, end: "keep" | "delete" | "archive", archiveFolder: string): Promise<void> {
    const ticket = await this.#ticketOf(path);
    if (ticket === undefined) return;
    const { context } = this.#parts;
    const drop = await this.#parts.drop(dirname(path));
    const name = ticket.name + ticketEnding;
    if (ticket.status !== "PROCESSED") {
      const changed = changedTicket(ticket, "PROCESSED", ticketTime(context.now()));
      await drop.replace(name, Buffer.from(ticketText(changed)));
    }
    if (end === "archive") await drop.archive(name, archiveFolder);
    if (end === "delete") await drop.remove(name);
  }

  /** A ticket that is broken is told once, and announces nothing. */
  async #ticketOf(path: string): Promise<Ticket | undefined> {
    const drop = await this.#parts.drop(dirname(path));
    const file = basename(path);
    for (const name of new Set([file, stemOf(file), file.split(".", 1)[0] ?? file])) {
      try {
        if ((await drop.look(name + ticketEnding)) === undefined) continue;
        const bytes = await drop.read(name + ticketEnding, limit.ticketBytes);
        const ticket = parseTicket(name, new TextDecoder().decode(bytes));
        if (ticket.fileName === file) return ticket;
      } catch (error) {
        if (!(error instanceof MillraceError) || !error.code.startsWith("FILE_")) throw error;
        if (!this.#told.has(error.message)) this.#parts.context.notice(`${error.message}. ${error.remedy}`);
        this.#told.add(error.message);
      }
    }
    return undefined;
  }
}

function stemOf(file: string): string {
  return file.replace(/(?<=.)\.[^.]*$/, "");
}
