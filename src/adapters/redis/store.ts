import { MillraceError } from "../../core/error.ts";
import type { Json } from "../../core/json.ts";
import type { Place } from "../../core/place.ts";
import { storeKey, storeText } from "../../core/store-text.ts";
import type { Store, StoreEntry, StoreFactory } from "../../ports/store.ts";
import { readDatabaseAddress } from "./address.ts";
import type { Answer } from "./connection.ts";
import { Database } from "./database.ts";

/** Of one look at the entries: as many values of the greatest length are held at once. */
const pageEntries = 32;

/** Versions and values by key; the keys in order; the version that was given last. */
const keys = ["millrace:store", "millrace:store:keys", "millrace:store:version"] as const;

/**
 * ARGV: key, value, expected version (empty: any). Answers 1 when it was written. Full servers refuse the first command
 * that takes memory, so that a script changes all or nothing.
 */
const putScript = `
if ARGV[3] ~= '' then
  local found = redis.call('HGET', KEYS[1], ARGV[1])
  local version = found and string.match(found, '^%d+') or '0'
  if version ~= ARGV[3] then return 0 end
end
local version = redis.call('INCR', KEYS[3])
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', version) .. ' ' .. ARGV[2])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return 1`;

/** ARGV: key. Answers 1 when there was an entry. */
const removeScript = `
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])`;

/** ARGV: where to begin, as ZRANGE BYLEX takes it; entries. Answers keys and what is kept of them, one after the other. */
const pageScript = `
local found = redis.call('ZRANGE', KEYS[2], ARGV[1], '+', 'BYLEX', 'LIMIT', 0, ARGV[2])
local answer = {}
for _, key in ipairs(found) do
  answer[#answer + 1] = key
  answer[#answer + 1] = redis.call('HGET', KEYS[1], key)
end
return answer`;

/** A store in a Redis database. Throws URL_INVALID. */
export const redisStore: StoreFactory = (place) => new RedisStore(place);

/** Every call is one script or command: the server has done it, or not, when it returns. */
class RedisStore implements Store {
  readonly shown: string;
  readonly #database: Database;

  constructor(place: Place) {
    const address = readDatabaseAddress(place);
    this.shown = address.shown;
    this.#database = new Database(address);
  }

  open(): Promise<void> {
    return this.#database.open();
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    const kept = await this.#database.ask("HGET", keys[0], storeKey(key));
    return kept === null ? undefined : this.#entry(key, kept);
  }

  /** Members of equal score are ordered by their bytes, and so, in UTF-8, by code point. */
  async *entries(prefix: string): AsyncIterable<StoreEntry> {
    for (let from = `[${storeKey(prefix)}`; ; ) {
      const page = (await this.#database.run(pageScript, keys, [from, pageEntries])) as readonly Answer[];
      if (page.length === 0) return;
      for (let at = 0; at < page.length; at += 2) {
        const key = String(page[at]);
        if (!key.startsWith(prefix)) return;
        yield this.#entry(key, page[at + 1] ?? null);
        from = `(${key}`;
      }
    }
  }

  async put(key: string, value: Json, { expected }: { readonly expected?: number } = {}): Promise<boolean> {
    const parts = [storeKey(key), storeText(value), expected === undefined ? "" : String(expected)];
    return (await this.#database.run(putScript, keys, parts)) === 1;
  }

  async remove(key: string): Promise<boolean> {
    return (await this.#database.run(removeScript, keys, [storeKey(key)])) === 1;
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  #entry(key: string, kept: Answer): StoreEntry {
    const [, version = "", text = ""] = /^(\d+) (.*)$/s.exec(String(kept)) ?? [];
    try {
      return { key, value: JSON.parse(text) as Json, version: Number(version) };
    } catch (cause) {
      throw new MillraceError("SINK_REFUSED", `${this.shown}: ${keys[0]} was not written by a store`, {
        remedy: "Choose another database in the URL.",
        cause,
      });
    }
  }
}
