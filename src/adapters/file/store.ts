import { resolve } from "node:path";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { MillraceError } from "../../core/error.ts";
import type { Json } from "../../core/json.ts";
import { limit } from "../../core/limit.ts";
import { isSqliteBusy } from "../../core/system-failure.ts";
import type { Place } from "../../core/place.ts";
import { storeKey, storeText } from "../../core/store-text.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { Store, StoreEntry, StoreFactory } from "../../ports/store.ts";
import { explainStore } from "./store-error.ts";
import { createFile, isOpenToAll, prepareFile, requireFile } from "./store-file.ts";

/** How long a lock is waited for with this process standing still; beyond it the event loop goes on meanwhile. */
const standstillMs = 10;
const pauseMsMax = 100;
/** Of one look at the entries: as many values of the greatest length are held at once. */
const pageEntries = 32;

/** A store in one SQLite file, which is created when it is missing, with mode 0600. Throws URL_INVALID. */
export const fileStore: StoreFactory = (place, context) => {
  const [unknown] = place.options.keys();
  if (unknown === undefined) return new FileStore(place, context);
  throw new MillraceError("URL_INVALID", `The URL ${place.shown} cannot be used: a store has no option ${unknown}`, {
    remedy: "Write it as file:PATH.",
  });
};

type Row = Readonly<Record<string, SQLOutputValue>>;

/** The connection with its statements, prepared once. */
interface Opened {
  readonly database: DatabaseSync;
  readonly get: StatementSync;
  readonly pageFrom: StatementSync;
  readonly pageAfter: StatementSync;
  readonly put: StatementSync;
  readonly putNew: StatementSync;
  readonly putSame: StatementSync;
  readonly remove: StatementSync;
}

/** Every statement is a transaction of its own: it is durable, or was not done, when it returns. */
class FileStore implements Store {
  readonly shown: string;
  readonly #path: string;
  readonly #context: AdapterContext;
  #opened: Promise<Opened> | undefined;

  constructor(place: Place, context: AdapterContext) {
    this.shown = place.shown;
    this.#path = resolve(place.path);
    this.#context = context;
  }

  async open(): Promise<void> {
    this.#opened ??= this.#connect();
    try {
      await this.#opened;
    } catch (error) {
      this.#opened = undefined;
      throw error;
    }
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    const stored = storeKey(key);
    const row = await this.#use(({ get }) => get.get(stored));
    return row === undefined ? undefined : this.#entry(key, row);
  }

  async *entries(prefix: string): AsyncIterable<StoreEntry> {
    const stored = storeKey(prefix);
    let page = await this.#use(({ pageFrom }) => pageFrom.all(stored));
    for (let last = ""; page.length > 0; ) {
      for (const row of page) {
        last = String(row["key"]);
        // In this order all that start alike stand together.
        if (!last.startsWith(prefix)) return;
        yield this.#entry(last, row);
      }
      page = await this.#use(({ pageAfter }) => pageAfter.all(last));
    }
  }

  async put(key: string, value: Json, { expected }: { readonly expected?: number } = {}): Promise<boolean> {
    const [stored, text] = [storeKey(key), storeText(value)];
    const { changes } = await this.#use(({ put, putNew, putSame }) => {
      if (expected === undefined) return put.run(stored, text);
      return expected === 0 ? putNew.run(stored, text) : putSame.run(stored, text, stored, expected);
    });
    return Number(changes) > 0;
  }

  async remove(key: string): Promise<boolean> {
    const stored = storeKey(key);
    const { changes } = await this.#use(({ remove }) => remove.run(stored));
    return Number(changes) > 0;
  }

  async close(): Promise<void> {
    const opening = this.#opened;
    this.#opened = undefined;
    const opened = await opening?.catch(() => undefined);
    if (opened?.database.isOpen === true) opened.database.close();
  }

  async #connect(): Promise<Opened> {
    // Loaded here, so that reading files does not load SQLite.
    const { DatabaseSync } = await import("node:sqlite");
    const opened = await this.#patiently(() => {
      createFile(this.#path);
      requireFile(this.#path, this.shown);
      const database = new DatabaseSync(this.#path, { timeout: standstillMs });
      try {
        prepareFile(database, this.shown);
        return { database, ...statementsOf(database) };
      } catch (error) {
        database.close();
        throw error;
      }
    });
    if (isOpenToAll(this.#path)) {
      this.#context.notice(`${this.shown} is open to every user of this machine; chmod 600 it if it holds users`);
    }
    return opened;
  }

  async #use<Result>(work: (opened: Opened) => Result): Promise<Result> {
    const opened = await this.#opened;
    if (opened !== undefined) return this.#patiently(() => work(opened));
    throw new MillraceError("INTERNAL", "The store is not open", { remedy: "Call open first." });
  }

  /** Does `work` again as long as another process is in the way, up to `limit.lockMs`. */
  async #patiently<Result>(work: () => Result): Promise<Result> {
    const start = this.#context.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return work();
      } catch (error) {
        if (!isSqliteBusy(error) || this.#context.now() - start > limit.lockMs) throw explainStore(error, this.shown);
        await this.#context.pause(Math.min(pauseMsMax, attempt));
      }
    }
  }

  #entry(key: string, row: Row): StoreEntry {
    try {
      return { key, value: JSON.parse(String(row["value"])) as Json, version: Number(row["version"]) };
    } catch (error) {
      throw explainStore(error, this.shown);
    }
  }
}

/** Texts are compared byte by byte, and so in code point order. */
function statementsOf(database: DatabaseSync): Omit<Opened, "database"> {
  const page = `order by key limit ${pageEntries}`;
  return {
    get: database.prepare("select version, value from millrace_store where key = ?"),
    pageFrom: database.prepare(`select key, version, value from millrace_store where key >= ? ${page}`),
    pageAfter: database.prepare(`select key, version, value from millrace_store where key > ? ${page}`),
    put: database.prepare("insert or replace into millrace_store (key, value) values (?, ?)"),
    putNew: database.prepare("insert into millrace_store (key, value) values (?, ?) on conflict (key) do nothing"),
    putSame: database.prepare(`insert or replace into millrace_store (key, value)
select ?, ? where exists (select 1 from millrace_store where key = ? and version = ?)`),
    remove: database.prepare("delete from millrace_store where key = ?"),
  };
}
