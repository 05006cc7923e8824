import { MillraceError } from "../core/error.ts";
import { isJsonObject } from "../core/json.ts";
import { setting } from "../core/setting.ts";
import { nearestName } from "../formats/nearest.ts";
import type { Store, StoreEntry } from "../ports/store.ts";
import { LoginMemory } from "./login-memory.ts";
import {
  hashPassword,
  isPasswordOf,
  type PasswordHash,
  parseHash,
  type ScryptCost,
  scryptCost,
  spendOnNobody,
} from "./password.ts";
import { Slots } from "./slots.ts";

export const userSettings = {
  place: setting.place("file:{data}/users.db", "who may call: a file, or a PostgreSQL database"),
};

/** Each may do what those before it may. */
export const roles = ["reader", "writer", "admin"] as const;
export type Role = (typeof roles)[number];

export interface User {
  readonly name: string;
  readonly role: Role;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
}

export interface NewUser {
  /** 1 to 64 letters, digits and `._@-`; compared exactly. */
  readonly name: string;
  readonly role: Role;
  /** 1 to 256 characters, none of which controls; below `passwordCharsAdvised` is easily guessed. */
  readonly password: string;
}

export interface UsersOptions {
  /** Milliseconds since 1970. */
  now(): number;
  /** Of passwords that are set from now on; hashes that are kept carry their own. OWASP's when absent. */
  readonly cost?: ScryptCost;
}

/** Passwords computed at once: 32 MiB and a thread each. */
const computedMax = 2;
/** Logins that may wait for it: with 0.2 s each, the last one waits about three seconds. */
const waitingMax = 32;

const prefix = "user/";
const namePattern = /^[A-Za-z0-9._@-]{1,64}$/;
const passwordChars = { min: 1, max: 256 } as const;
/** NIST SP 800-63B, 5.1.1.2: at least eight characters. Asked for in words: who sets a password may know better. */
export const passwordCharsAdvised = 8;

/** Thrown by `Users.verify` when too many logins wait already: nothing was looked at. In HTTP a 503. */
export class TooManyLogins extends Error {
  override readonly name = "TooManyLogins";
  constructor() {
    super(`${waitingMax} logins wait already`);
  }
}

/** What is kept of a user: `user/NAME` → `{ name, role, password, createdAt }`. */
interface KeptUser {
  readonly user: User;
  readonly hash: PasswordHash;
}

/**
 * The users of a store, which must be open; whoever opened it closes it. Any number of processes may share the store.
 * Errors of the store are let through. An entry that is not what `add` writes throws USER_INVALID where it is needed.
 */
export class Users {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #cost: ScryptCost;
  readonly #memory: LoginMemory<User>;
  readonly #slots = new Slots(computedMax);
  readonly #underWay = new Map<string, Promise<User | undefined>>();

  constructor(store: Store, options: UsersOptions) {
    this.#store = store;
    this.#now = () => options.now();
    this.#cost = options.cost ?? scryptCost;
    this.#memory = new LoginMemory({ now: this.#now, versionOf: (name) => this.#versionOf(name) });
  }

  /**
   * Durable on return. Throws USER_INVALID for a name, role or password that cannot be used, and for a name that is
   * there; with `replace` that one gets this password and role instead, and keeps its `createdAt`.
   */
  async add(added: NewUser, { replace = false }: { readonly replace?: boolean } = {}): Promise<User> {
    requireName(added.name);
    requireRole(added.role);
    requirePassword(added.password);
    const password = await hashPassword(added.password, this.#cost);
    for (;;) {
      const before = replace ? await this.#entry(added.name) : undefined;
      const createdAt = createdAtOf(before) ?? new Date(this.#now()).toISOString();
      const user: User = { name: added.name, role: added.role, createdAt };
      const expected = before?.version ?? 0;
      if (await this.#store.put(keyOf(user.name), { ...user, password }, { expected })) return user;
      if (!replace) throw isTaken(user.name, this.#store.shown);
    }
  }

  /** The user of that very name; undefined when there is none. */
  async get(name: string): Promise<User | undefined> {
    const entry = namePattern.test(name) ? await this.#entry(name) : undefined;
    return entry === undefined ? undefined : this.#kept(entry).user;
  }

  /** The same with the version of the entry: another one once role or password were set anew. */
  async seen(name: string): Promise<{ readonly user: User; readonly version: number } | undefined> {
    const entry = namePattern.test(name) ? await this.#entry(name) : undefined;
    return entry === undefined ? undefined : { user: this.#kept(entry).user, version: entry.version };
  }

  /** Whether there is any user. An entry that is damaged counts: it is told of where it is needed. */
  async hasAny(): Promise<boolean> {
    for await (const _ of this.#store.entries(prefix)) return true;
    return false;
  }

  /** All users, by name in code point order. */
  async list(): Promise<User[]> {
    const users: User[] = [];
    for await (const entry of this.#store.entries(prefix)) users.push(this.#kept(entry).user);
    return users;
  }

  /** Durable on return; no process lets the user in a second later. Throws USER_INVALID when there is none of that name. */
  async remove(name: string): Promise<void> {
    if (namePattern.test(name) && (await this.#store.remove(keyOf(name)))) return;
    const names: string[] = [];
    for await (const { key } of this.#store.entries(prefix)) names.push(key.slice(prefix.length));
    throw isMissing(name, this.#store.shown, names);
  }

  /** Whether the user may do what takes the role `needed`. */
  allows({ role }: User, needed: Role): boolean {
    return roles.indexOf(role) >= roles.indexOf(needed);
  }

  /**
   * The user of that name and password; undefined when they are wrong, which takes as long for a name that is not there.
   * A login that was right is remembered: see LoginMemory. One that is not is computed, two at a time and the same one
   * once; throws TooManyLogins when too many wait for that already.
   */
  async verify(name: string, password: string): Promise<User | undefined> {
    // Neither of these was ever set, so nothing is told by being quick.
    if (!namePattern.test(name) || !isPossible(password)) return undefined;
    const tag = this.#memory.tag(name, password);
    return (await this.#memory.recall(name, tag)) ?? this.#computeOnce(name, password, tag);
  }

  /** Whoever asks for what is being computed waits for the same answer. */
  #computeOnce(name: string, password: string, tag: Uint8Array): Promise<User | undefined> {
    const id = Buffer.from(tag).toString("base64");
    const known = this.#underWay.get(id);
    if (known !== undefined) return known;
    if (this.#underWay.size >= computedMax + waitingMax) return Promise.reject(new TooManyLogins());
    const computing = this.#slots
      .hold(() => this.#compute(name, password, tag))
      .finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, computing);
    return computing;
  }

  async #compute(name: string, password: string, tag: Uint8Array): Promise<User | undefined> {
    const entry = await this.#entry(name);
    if (entry === undefined) {
      await spendOnNobody(password, this.#cost);
      return undefined;
    }
    const { user, hash } = this.#kept(entry);
    if (!(await isPasswordOf(password, hash))) return undefined;
    // That took its time, in which the user may have been removed or changed.
    const seenAt = this.#now();
    const { version } = entry;
    if ((await this.#versionOf(name)) !== version) return this.#compute(name, password, tag);
    this.#memory.remember(name, user, { tag, version, seenAt });
    return user;
  }

  #entry(name: string): Promise<StoreEntry | undefined> {
    return this.#store.get(keyOf(name));
  }

  async #versionOf(name: string): Promise<number> {
    return (await this.#entry(name))?.version ?? 0;
  }

  #kept({ key, value }: StoreEntry): KeptUser {
    const name = key.slice(prefix.length);
    const kept: Readonly<Record<string, unknown>> = isJsonObject(value) ? value : {};
    const { role, createdAt, password } = kept;
    const hash = typeof password === "string" ? parseHash(password) : undefined;
    if (kept["name"] === name && isRole(role) && typeof createdAt === "string" && hash !== undefined) {
      return { user: { name, role, createdAt }, hash };
    }
    throw new MillraceError("USER_INVALID", `The entry of the user "${name}" in ${this.#store.shown} is damaged`, {
      remedy: `Set the user anew: millrace user add ${name} --role ROLE --replace. Or remove it.`,
    });
  }
}

const keyOf = (name: string): string => `${prefix}${name}`;

function isRole(value: unknown): value is Role {
  return (roles as readonly unknown[]).includes(value);
}

function createdAtOf(entry: StoreEntry | undefined): string | undefined {
  const createdAt = isJsonObject(entry?.value) ? entry.value["createdAt"] : undefined;
  return typeof createdAt === "string" ? createdAt : undefined;
}

function isPossible(password: string): boolean {
  return password !== "" && password.length <= passwordChars.max;
}

/** Throws USER_INVALID for a name that no user can have. */
export function requireName(name: string): void {
  if (namePattern.test(name)) return;
  throw new MillraceError("USER_INVALID", `A user cannot have the name ${JSON.stringify(name)}`, {
    remedy: "A name is 1 to 64 letters, digits and . _ @ -",
  });
}

function requireRole(role: unknown): void {
  if (isRole(role)) return;
  throw new MillraceError("USER_INVALID", `There is no role ${JSON.stringify(role)}`, {
    remedy: `Roles are ${roles.join(", ")}.`,
  });
}

function requirePassword(password: string): void {
  const { min, max } = passwordChars;
  const isTyped = !/\p{Cc}/u.test(password) && password.isWellFormed();
  if (isTyped && password.length >= min && password.length <= max) return;
  throw new MillraceError("USER_INVALID", "The password cannot be used", {
    remedy: `A password is ${min} to ${max} characters; any that can be typed, blanks among them.`,
  });
}

export function isTaken(name: string, shown: string): MillraceError {
  return new MillraceError("USER_INVALID", `The user "${name}" is in ${shown} already`, {
    remedy: "--replace gives that user this password and role.",
  });
}

function isMissing(name: string, shown: string, names: readonly string[]): MillraceError {
  const near = nearestName(name, names);
  return new MillraceError("USER_INVALID", `There is no user ${JSON.stringify(name)} in ${shown}`, {
    remedy: `${near === undefined ? "" : `Did you mean ${near}? `}millrace user list shows who is there.`,
  });
}
