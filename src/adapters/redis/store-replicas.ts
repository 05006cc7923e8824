import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { Place } from "../../core/place.ts";
import { replicaName } from "../../core/replica-name.ts";
import type { Replica, ReplicaContent, ReplicaEntry, Replicas, ReplicasFactory } from "../../ports/replicas.ts";
import { readDatabaseAddress } from "./address.ts";
import type { Answer, Argument } from "./connection.ts";
import { Database } from "./database.ts";
import { keysOf, registry, scripts } from "./store-replicas-scripts.ts";

/** Replicas in a Redis database. Throws URL_INVALID. */
export const redisReplicas: ReplicasFactory = (place) => new RedisReplicas(place);

class RedisReplicas implements Replicas {
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

  async names(): Promise<readonly string[]> {
    return texts(await this.#database.ask("LRANGE", registry, 0, -1));
  }

  async look(name: string): Promise<Replica | undefined> {
    const [id, rows, fields] = list(await this.#run("look", name, [name]));
    if (id === undefined || rows === undefined) return undefined;
    return { name, id: String(id), rows: Number(rows), meta: new Map(pairs(fields ?? [])) };
  }

  async register(name: string, meta: ReadonlyMap<string, string>): Promise<void> {
    await this.#run("register", name, [name, ...[...meta].flat()]);
  }

  async write(name: string, { id, meta, entries }: ReplicaContent): Promise<number> {
    const keys = { rows: `millrace:new:${id}:rows`, order: `millrace:new:${id}:order` };
    await this.#database.ask("UNLINK", keys.rows, keys.order);
    try {
      let rows = 0;
      for await (const piece of entries) {
        for (const some of portions(piece)) await this.#append(keys, some);
        rows += piece.length;
      }
      const parts = [name, id, rows, limit.replicaReadMs, ...[...meta].flat()];
      if ((await this.#run("swap", name, parts)) === "done") return rows;
      throw new MillraceError("SINK_REFUSED", `${this.shown}: not all rows of ${name} are there when they should be`, {
        remedy: "The server lost some, as when it restarts or evicts keys (maxmemory-policy), or a key came twice.",
      });
    } catch (error) {
      // Where even that fails they expire.
      await this.#database.ask("UNLINK", keys.rows, keys.order).catch(() => undefined);
      throw error;
    }
  }

  /** Sent together: the answers come together too. */
  async #append(keys: { readonly rows: string; readonly order: string }, some: readonly ReplicaEntry[]): Promise<void> {
    const { rows, order } = keys;
    const sent = [
      this.#database.ask("HSET", rows, ...some.flatMap(({ key, value }) => [key, value])),
      this.#database.ask("PEXPIRE", rows, limit.replicaReadMs),
      this.#database.ask("RPUSH", order, ...some.map(({ key }) => key)),
      this.#database.ask("PEXPIRE", order, limit.replicaReadMs),
    ];
    for (const { status, ...answer } of await Promise.allSettled(sent)) {
      if (status === "rejected" && "reason" in answer) throw answer.reason;
    }
  }

  async *entries(name: string, count = Number.POSITIVE_INFINITY): AsyncIterable<readonly ReplicaEntry[]> {
    const [id, rows, places] = list(await this.#run("begin", name, [name, limit.replicaReadMs]));
    if (id === undefined || Number(rows) === 0) return;
    // Rows that others put into the hash have no place in the order.
    const seen = rows === places ? undefined : new Set<string>();
    let left = count;
    for await (const piece of this.#inOrder(name, String(id))) {
      const some = piece.slice(0, left);
      left -= some.length;
      for (const { key } of some) seen?.add(key);
      if (some.length > 0) yield some;
      if (left <= 0) return;
    }
    if (seen === undefined || seen.size >= Number(rows)) return;
    // Not those of another content that came meanwhile.
    const [now] = list(await this.#run("look", name, [name]));
    if (String(now) === String(id)) yield* this.#besides(name, seen, left);
  }

  async *#inOrder(name: string, id: string): AsyncGenerator<readonly ReplicaEntry[], void> {
    for (let at = 0; id !== ""; at += limit.replicaPieceRows) {
      const found = await this.#run("read", name, [id, at, at + limit.replicaPieceRows - 1]);
      if (found === -1) throw readTooLong(this.shown, name);
      if (list(found).length === 0) return;
      yield pairs(found).map(([key, value]) => ({ key, value }));
    }
  }

  /** The rows of the hash that are not `seen`, in whatever order, `left` at most. */
  async *#besides(name: string, seen: Set<string>, left: number): AsyncGenerator<readonly ReplicaEntry[], void> {
    let cursor = "0";
    let wanted = left;
    do {
      const [next, found] = list(await this.#database.ask("HSCAN", name, cursor, "COUNT", limit.replicaPieceRows));
      const fresh = pairs(found ?? []).filter(([key]) => !seen.has(key));
      for (const [key] of fresh) seen.add(key);
      const piece = fresh.slice(0, wanted).map(([key, value]) => ({ key, value }));
      wanted -= piece.length;
      if (piece.length > 0) yield piece;
      cursor = String(next);
    } while (cursor !== "0" && wanted > 0);
  }

  async clear(name: string): Promise<boolean> {
    return (await this.#run("clear", name, [name, limit.replicaReadMs])) === 1;
  }

  async clearEntries(name: string, entries: AsyncIterable<readonly ReplicaEntry[]>): Promise<number> {
    replicaName(name);
    let cleared = 0;
    for await (const piece of entries) {
      for (const some of portions(piece)) {
        const parts = some.flatMap(({ key, value }) => [key, value]);
        cleared += Number(await this.#run("clearEntries", name, [name, ...parts]));
      }
    }
    return cleared;
  }

  async remove(name: string): Promise<boolean> {
    return (await this.#run("remove", name, [name, limit.replicaReadMs])) === 1;
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  #run(script: keyof typeof scripts, name: string, parts: readonly Argument[]): Promise<Answer> {
    return this.#database.run(scripts[script], keysOf(replicaName(name)), parts);
  }
}

/** Parts that one command may carry. */
function* portions(entries: readonly ReplicaEntry[]): Generator<readonly ReplicaEntry[]> {
  let some: ReplicaEntry[] = [];
  let chars = 0;
  for (const entry of entries) {
    some.push(entry);
    chars += entry.key.length + entry.value.length;
    if (some.length < limit.replicaPieceRows && chars < limit.replicaPieceBytes) continue;
    yield some;
    some = [];
    chars = 0;
  }
  if (some.length > 0) yield some;
}

function readTooLong(shown: string, name: string): MillraceError {
  return new MillraceError("SINK_BUSY", `${shown}: ${name} was replaced while it was read, and is kept no longer`, {
    remedy: "Read it again, faster.",
  });
}

function list(answer: Answer): readonly Answer[] {
  return Array.isArray(answer) ? (answer as readonly Answer[]) : [];
}

function texts(answer: Answer): string[] {
  return list(answer).map(String);
}

/** Keys and values in turn; what has no value is left out. */
function pairs(answer: Answer): [string, string][] {
  const parts = list(answer);
  const found: [string, string][] = [];
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const value = parts[at + 1];
    if (value !== null && value !== undefined) found.push([String(parts[at]), String(value)]);
  }
  return found;
}
