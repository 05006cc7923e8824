import { resolve } from "node:path";
import { setImmediate as othersTurn } from "node:timers/promises";
import type { SQLOutputValue } from "node:sqlite";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { Place } from "../../core/place.ts";
import { replicaName } from "../../core/replica-name.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { Replica, ReplicaContent, ReplicaEntry, Replicas, ReplicasFactory } from "../../ports/replicas.ts";
import { Patience } from "./replicas-patience.ts";
import { ContentWalk } from "./replicas-walk.ts";
import { type OpenedReplicas as Opened, openDatabase } from "./replicas-database.ts";

/** Replicas in one SQLite file, which may be that of a store, and is created when it is missing. Throws URL_INVALID. */
export const fileReplicas: ReplicasFactory = (place, context) => {
  const [unknown] = place.options.keys();
  if (unknown === undefined) return new FileReplicas(place, context);
  throw new MillraceError("URL_INVALID", `The URL ${place.shown} cannot be used: there is no option ${unknown}`, {
    remedy: "Write it as file:PATH.",
  });
};

type Row = Readonly<Record<string, SQLOutputValue>>;

/** Rows that are deleted in one transaction: others wait for it. */
const prunedRows = 5_000;

class FileReplicas implements Replicas {
  readonly shown: string;
  readonly #path: string;
  readonly #patience: Patience;
  readonly #context: AdapterContext;
  #opened: Promise<Opened> | undefined;
  /** One clears at a time: the list of what is to be cleared is one. */
  #clearing: Promise<unknown> = Promise.resolve();

  constructor(place: Place, context: AdapterContext) {
    this.shown = place.shown;
    this.#path = resolve(place.path);
    this.#context = context;
    this.#patience = new Patience(context, place.shown);
  }

  async open(): Promise<void> {
    this.#opened ??= this.#patience.borne(() => openDatabase(this.#path, this.shown));
    try {
      await this.#opened;
    } catch (error) {
      this.#opened = undefined;
      throw error;
    }
    await this.#prune();
  }

  async names(): Promise<readonly string[]> {
    return (await this.#use(({ prepared }) => prepared.names.all())).map((row) => String(row["name"]));
  }

  async look(name: string): Promise<Replica | undefined> {
    replicaName(name);
    const row = await this.#use(({ prepared }) => prepared.look.get(name));
    if (row === undefined) return undefined;
    const meta = new Map(Object.entries(JSON.parse(String(row["meta"])) as Record<string, string>));
    return { name, id: String(row["id"] ?? ""), rows: Number(row["rows"]), meta };
  }

  async register(name: string, meta: ReadonlyMap<string, string>): Promise<void> {
    replicaName(name);
    await this.#transact(({ prepared }) => {
      const row = prepared.look.get(name);
      const before = row === undefined ? {} : (JSON.parse(String(row["meta"])) as object);
      prepared.register.run(name, JSON.stringify({ ...before, ...Object.fromEntries(meta) }));
    });
  }

  async write(name: string, { id, meta, entries }: ReplicaContent): Promise<number> {
    replicaName(name);
    const { lastInsertRowid } = await this.#use(({ prepared }) => prepared.newContent.run(id, this.#context.now()));
    const content = Number(lastInsertRowid);
    let rows = 0;
    try {
      for await (const piece of entries) {
        const from = rows;
        await this.#transact(({ prepared }) => {
          for (const [index, { key, value }] of piece.entries()) prepared.addRow.run(content, from + index, key, value);
          prepared.touch.run(this.#context.now(), content);
        });
        rows += piece.length;
        await othersTurn();
      }
      await this.#swap(name, { content, rows, meta });
    } catch (error) {
      await this.#use(({ prepared }) => prepared.touch.run(0, content)).catch(() => undefined); // pruned later at the latest
      throw error;
    }
    await this.#prune();
    return rows;
  }

  async *entries(name: string, count = Number.POSITIVE_INFINITY): AsyncIterable<readonly ReplicaEntry[]> {
    replicaName(name);
    const row = await this.#use(({ prepared }) => prepared.look.get(name));
    const content = Number(row?.["content"] ?? 0);
    let left = Math.min(count, Number(row?.["rows"] ?? 0));
    for (let at = 0; left > 0; ) {
      const most = Math.min(limit.replicaPieceRows, left);
      const found = await this.#use(({ prepared }) => prepared.page.all(content, at, most));
      // Rows that were cleared one by one leave gaps.
      if (found.length === 0) return this.#requireKept(name, content);
      yield found.map(entryOf);
      at = Number(found.at(-1)?.["row"]) + 1;
      left -= found.length;
      // SQLite answers at once: who reads in a loop would let nobody else do anything.
      await othersTurn();
    }
  }

  async clear(name: string): Promise<boolean> {
    replicaName(name);
    const { changes } = await this.#transact(({ prepared }) => {
      prepared.retire.run(this.#context.now(), name);
      return prepared.clear.run(name);
    });
    await this.#prune();
    return Number(changes) > 0;
  }

  async clearEntries(name: string, entries: AsyncIterable<readonly ReplicaEntry[]>): Promise<number> {
    replicaName(name);
    const turn = this.#clearing.then(() => this.#clearEntries(name, entries));
    this.#clearing = turn.catch(() => undefined); // its own caller is told
    return turn;
  }

  async #clearEntries(name: string, entries: AsyncIterable<readonly ReplicaEntry[]>): Promise<number> {
    const row = await this.#use(({ prepared }) => {
      prepared.forgetClear.run();
      return prepared.look.get(name);
    });
    const content = Number(row?.["content"] ?? 0);
    const walk = new ContentWalk((from) =>
      this.#use(({ prepared }) => prepared.page.all(content, from, limit.replicaPieceRows)),
    );
    for await (const piece of entries) {
      const others = await walk.leave(piece);
      if (others.length > 0) {
        await this.#transact(({ prepared }) => {
          for (const { key, value } of others) prepared.expectClear.run(key, value);
        });
      }
      await othersTurn();
    }
    const cleared = await this.#transact((opened) => this.#clearWalked(opened, name, content, walk), "extra");
    await this.#prune();
    return cleared;
  }

  /** What was walked over is of one content: where another has taken its place, that one is looked through alone. */
  #clearWalked({ prepared }: Opened, name: string, walked: number, walk: ContentWalk): number {
    const row = prepared.look.get(name);
    const [content, rows] = [Number(row?.["content"] ?? 0), Number(row?.["rows"] ?? 0)];
    if (content === walked && walk.rows === rows) {
      // All of it, which nobody need take apart.
      prepared.retire.run(this.#context.now(), name);
      prepared.clear.run(name);
      prepared.forgetClear.run();
      return rows;
    }
    const before = content === walked ? prepared.clearBefore.run(content, walk.next).changes : 0;
    const changes = Number(before) + Number(prepared.clearRows.run(content).changes);
    prepared.countRows.run(changes, name);
    prepared.forgetClear.run();
    return changes;
  }

  async remove(name: string): Promise<boolean> {
    replicaName(name);
    const { changes } = await this.#transact(({ prepared }) => {
      prepared.retire.run(this.#context.now(), name);
      return prepared.remove.run(name);
    });
    await this.#prune();
    return Number(changes) > 0;
  }

  async close(): Promise<void> {
    const opening = this.#opened;
    this.#opened = undefined;
    const opened = await opening?.catch(() => undefined);
    if (opened?.database.isOpen === true) opened.database.close();
  }

  async #requireKept(name: string, content: number): Promise<void> {
    if ((await this.#use(({ prepared }) => prepared.hasContent.get(content))) === undefined) {
      throw readTooLong(this.shown, name);
    }
  }

  /** The rows before it were not made durable one piece at a time: this makes all of them so. */
  async #swap(
    name: string,
    {
      content,
      rows,
      meta,
    }: { readonly content: number; readonly rows: number; readonly meta: ReadonlyMap<string, string> },
  ): Promise<void> {
    const text = JSON.stringify(Object.fromEntries(meta));
    await this.#transact(({ prepared }) => {
      prepared.retire.run(this.#context.now(), name);
      if (Number(prepared.fill.run(content, rows, text, name).changes) === 0) {
        prepared.register.run(name, text);
        prepared.fill.run(content, rows, text, name);
      }
    }, "extra");
  }

  /** Removes what nobody can read any more, bit by bit. */
  async #prune(): Promise<void> {
    for (;;) {
      const before = this.#context.now() - limit.replicaReadMs;
      const old = await this.#use(({ prepared }) => prepared.oldContent.get(before));
      if (old === undefined) return;
      const content = Number(old["content"]);
      await this.#transact(({ prepared }) => {
        const { changes } = prepared.pruneRows.run(content, content, prunedRows);
        if (Number(changes) < prunedRows) prepared.pruneContent.run(content);
      });
    }
  }

  #transact<Result>(work: (opened: Opened) => Result, synchronous: "normal" | "extra" = "normal"): Promise<Result> {
    return this.#use((opened) => {
      const { database } = opened;
      database.exec(`pragma synchronous = ${synchronous}; begin immediate`);
      try {
        const result = work(opened);
        database.exec("commit; pragma synchronous = extra");
        return result;
      } catch (error) {
        if (database.isTransaction) database.exec("rollback");
        database.exec("pragma synchronous = extra");
        throw error;
      }
    });
  }

  async #use<Result>(work: (opened: Opened) => Result): Promise<Result> {
    const opened = await this.#opened;
    if (opened !== undefined) return this.#patience.borne(() => work(opened));
    throw new MillraceError("INTERNAL", "The replicas are not open", { remedy: "Call open first." });
  }
}

function entryOf(row: Row): ReplicaEntry {
  return { key: String(row["key"]), value: String(row["value"]) };
}

function readTooLong(shown: string, name: string): MillraceError {
  return new MillraceError("SINK_BUSY", `${shown}: ${name} was replaced while it was read, and is kept no longer`, {
    remedy: "Read it again, faster.",
  });
}
