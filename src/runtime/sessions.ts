import { createHash, randomBytes } from "node:crypto";
import { isJsonObject } from "../core/json.ts";
import { limit } from "../core/limit.ts";
import type { Store } from "../ports/store.ts";
import type { User, Users } from "./users.ts";

/** A user who has signed in. */
export interface SignedIn {
  readonly user: User;
  readonly expiresAtMs: number;
}

const prefix = "session/";
const tokenPattern = /^[\w-]{43}$/;

/**
 * Who has signed in, in the store of the users: any process that shares it knows them, and a restart ends none. Kept is
 * a hash of each token, never the token: `session/HASH` → `{ name, version, expiresAtMs }`. A session ends at its time,
 * when it is ended, and as soon as the user's entry has another version: removed, or given another password or role.
 */
export class Sessions {
  readonly #store: Store;
  readonly #users: Users;
  readonly #now: () => number;

  constructor(store: Store, users: Users, now: () => number) {
    this.#store = store;
    this.#users = users;
    this.#now = now;
  }

  /** Begins a session of a user whose password was right; resolves with its token, durable. The oldest of too many end. */
  async begin({ name }: User): Promise<{ readonly token: string; readonly signedIn: SignedIn } | undefined> {
    const seen = await this.#users.seen(name);
    if (seen === undefined) return undefined;
    await this.#makeRoom(name);
    const token = randomBytes(32).toString("base64url");
    const expiresAtMs = this.#now() + limit.sessionMs;
    await this.#store.put(keyOf(token), { name, version: seen.version, expiresAtMs });
    return { token, signedIn: { user: seen.user, expiresAtMs } };
  }

  /** Undefined when the token is none, or its session has ended. */
  async find(token: string): Promise<SignedIn | undefined> {
    if (!tokenPattern.test(token)) return undefined;
    const kept = keptOf((await this.#store.get(keyOf(token)))?.value);
    if (kept === undefined || !this.#isCurrent(kept.expiresAtMs)) return undefined;
    const seen = await this.#users.seen(kept.name);
    if (seen?.version !== kept.version) return undefined;
    return { user: seen.user, expiresAtMs: kept.expiresAtMs };
  }

  async end(token: string): Promise<void> {
    if (tokenPattern.test(token)) await this.#store.remove(keyOf(token));
  }

  /** Removes what has ended, and of the user's own the one that ends first when there are too many. */
  async #makeRoom(name: string): Promise<void> {
    const own: { readonly key: string; readonly expiresAtMs: number }[] = [];
    for await (const { key, value } of this.#store.entries(prefix)) {
      const kept = keptOf(value);
      if (kept === undefined || !this.#isCurrent(kept.expiresAtMs)) await this.#store.remove(key);
      else if (kept.name === name) own.push({ key, expiresAtMs: kept.expiresAtMs });
    }
    own.sort((a, b) => a.expiresAtMs - b.expiresAtMs);
    for (const { key } of own.slice(0, Math.max(0, own.length + 1 - limit.sessionsOfUser)))
      await this.#store.remove(key);
  }

  /** A clock that was set back makes nothing last longer. */
  #isCurrent(expiresAtMs: number): boolean {
    const left = expiresAtMs - this.#now();
    return left > 0 && left <= limit.sessionMs;
  }
}

const keyOf = (token: string): string => `${prefix}${createHash("sha256").update(token).digest("hex")}`;

interface KeptSession {
  readonly name: string;
  readonly version: number;
  readonly expiresAtMs: number;
}

function keptOf(value: unknown): KeptSession | undefined {
  if (!isJsonObject(value)) return undefined;
  const { name, version, expiresAtMs } = value;
  const isWhole = typeof name === "string" && typeof version === "number" && typeof expiresAtMs === "number";
  return isWhole ? { name, version, expiresAtMs } : undefined;
}
