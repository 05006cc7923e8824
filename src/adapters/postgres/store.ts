import type { Json } from "../../core/json.ts";
import { MillraceError } from "../../core/error.ts";
import type { Place } from "../../core/place.ts";
import { storeKey, storeText } from "../../core/store-text.ts";
import type { Store, StoreEntry, StoreFactory } from "../../ports/store.ts";
import { type Address, readAddress } from "./address.ts";
import { type Answer, ask, Connections, patience, type Statement } from "./client.ts";
import { explainError } from "./errors.ts";
import { qualifiedName } from "./names.ts";
import { currentSchema, ensureSchema, lockCreation } from "./state.ts";

/** Of one look at the entries: as many values of the greatest length are held at once. */
const pageEntries = 32;

/** A store in the table `millrace_store` of a PostgreSQL database. Throws URL_INVALID. */
export const postgresStore: StoreFactory = (place) => new PostgresStore(place);

/** Names of what a store keeps, quoted and with their schema. */
interface StoreNames {
  readonly schema: string;
  readonly table: string;
  /** Gives versions: no number twice, whatever becomes of the entry. */
  readonly version: string;
}

interface Row {
  readonly key: string;
  readonly value: Json;
  readonly version: bigint;
}

/** Every statement is a transaction of its own: it is durable, or was not done, when it returns. */
class PostgresStore implements Store {
  readonly shown: string;
  readonly #address: Address;
  readonly #connections: Connections;
  #opened: StoreNames | undefined;

  constructor(place: Place) {
    this.shown = place.shown;
    this.#address = readAddress(place, {});
    this.#connections = new Connections(this.#address, patience);
  }

  async open(): Promise<void> {
    if (this.#opened !== undefined) return;
    try {
      const names = storeNames(this.#address.stateSchema ?? (await currentSchema(this.#connections)));
      await ensureStore(this.#connections, names);
      this.#opened = names;
    } catch (error) {
      throw explainError(error, this.shown);
    }
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    const { table } = this.#names();
    const text = `select key, value, version from ${table} where key = $1`;
    const { rows } = await this.#ask("reading an entry", { name: "store_get", text, values: [storeKey(key)] });
    return rows.map(entryOf)[0];
  }

  async *entries(prefix: string): AsyncIterable<StoreEntry> {
    const { table } = this.#names();
    let after: readonly [string, string] = [">=", storeKey(prefix)];
    for (;;) {
      const [is, key] = after;
      const text = `select key, value, version from ${table} where key ${is} $1 order by key limit ${pageEntries}`;
      const { rows } = await this.#ask("reading entries", { text, values: [key] });
      const last = rows.at(-1);
      if (last === undefined) return;
      for (const row of rows) {
        // In this order all that start alike stand together.
        if (!row.key.startsWith(prefix)) return;
        yield entryOf(row);
      }
      after = [">", last.key];
    }
  }

  async put(key: string, value: Json, { expected }: { readonly expected?: number } = {}): Promise<boolean> {
    const names = this.#names();
    const values = [storeKey(key), storeText(value), names.version];
    const { count } = await this.#ask("writing an entry", putStatement(names, values, expected));
    return count > 0;
  }

  async remove(key: string): Promise<boolean> {
    const { table } = this.#names();
    const text = `delete from ${table} where key = $1`;
    const { count } = await this.#ask("removing an entry", { text, values: [storeKey(key)] });
    return count > 0;
  }

  async close(): Promise<void> {
    this.#opened = undefined;
    await this.#connections.close();
  }

  #names(): StoreNames {
    if (this.#opened !== undefined) return this.#opened;
    throw new MillraceError("INTERNAL", "The store is not open", { remedy: "Call open first." });
  }

  async #ask(purpose: string, statement: Statement): Promise<Answer<Row>> {
    try {
      return await this.#connections.ask<Row>(purpose, statement);
    } catch (error) {
      throw explainError(error, this.shown);
    }
  }
}

/** A version is drawn once the row is locked, so that they ascend in the order of the commits. */
function putStatement({ table }: StoreNames, values: readonly unknown[], expected: number | undefined): Statement {
  if (expected !== undefined && expected !== 0) {
    const text = `update ${table} set value = $2, version = nextval($3::regclass) where key = $1 and version = $4`;
    return { name: "store_put_same", text, values: [...values, expected] };
  }
  const insert = `insert into ${table} (key, value, version) values ($1, $2, nextval($3::regclass)) on conflict (key)`;
  if (expected === 0) return { name: "store_put_new", text: `${insert} do nothing`, values };
  const text = `${insert} do update set value = excluded.value, version = nextval($3::regclass)`;
  return { name: "store_put", text, values };
}

function entryOf({ key, value, version }: Row): StoreEntry {
  return { key, value, version: Number(version) };
}

function storeNames(schema: string): StoreNames {
  const name = (thing: string): string => qualifiedName(schema, thing);
  return { schema, table: name("millrace_store"), version: name("millrace_store_version") };
}

/**
 * Creates what is missing. Keys are ordered by their bytes, and so, in UTF-8, by code point; values are json, not jsonb:
 * kept as the very text that they were given as.
 */
async function ensureStore(connections: Connections, names: StoreNames): Promise<void> {
  if (await isComplete(connections, names)) return;
  const purpose = "creating the store's table";
  await connections.transaction(purpose, async (client) => {
    await lockCreation(client);
    await ensureSchema(client, names.schema);
    await ask(client, purpose, `create sequence if not exists ${names.version} as bigint`);
    await ask(
      client,
      purpose,
      `create table if not exists ${names.table} (
  key text collate "C" primary key,
  value json not null,
  version bigint not null
)`,
    );
  });
}

async function isComplete(connections: Connections, { table, version }: StoreNames): Promise<boolean> {
  const text = "select to_regclass($1) is not null and to_regclass($2) is not null as complete";
  const values = [table, version];
  const { rows } = await connections.ask<{ complete: boolean }>("looking for the store's table", { text, values });
  return rows[0]?.complete === true;
}
