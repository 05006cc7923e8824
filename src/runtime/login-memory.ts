import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** How long after a password was computed it need not be computed again. */
const rememberedMs = 5 * 60_000;
/** How long after a look at the store none is taken: for so long a removed user may still be let in. */
const seenMs = 1_000;
/** Names whose logins are remembered; the one remembered longest ago gives way. */
const loginsMax = 1_000;

interface Look {
  readonly at: number;
  /** Whether the user's entry had the version that the login was computed with. */
  readonly same: Promise<boolean>;
}

interface Login<Known> {
  readonly known: Known;
  readonly tag: Uint8Array;
  readonly version: number;
  readonly computedAt: number;
  look: Look;
}

export interface LoginMemoryOptions {
  /** Milliseconds since 1970. */
  now(): number;
  /** The version of the user's entry now; 0 when there is none. */
  versionOf(name: string): Promise<number>;
}

/**
 * Logins that were right, so that a password is not computed for every request: one a name, for five minutes, at most a
 * thousand. Passwords are not kept but a keyed hash of them, whose key this process alone has and forgets with its end.
 * A login counts only while the user's entry in the store has the same version, which is looked at once a second.
 */
export class LoginMemory<Known> {
  readonly #options: LoginMemoryOptions;
  readonly #key = randomBytes(32);
  readonly #logins = new Map<string, Login<Known>>();

  constructor(options: LoginMemoryOptions) {
    this.#options = options;
  }

  /** HMAC-SHA-256 of name and password; the name must hold no NUL, so that no two pairs are one text. */
  tag(name: string, password: string): Uint8Array {
    return createHmac("sha256", this.#key).update(`${name}\0${password}`).digest();
  }

  /** What was remembered with that very name and password; undefined when it does not count any more, or never did. */
  async recall(name: string, tag: Uint8Array): Promise<Known | undefined> {
    const login = this.#logins.get(name);
    if (login === undefined || !timingSafeEqual(login.tag, tag)) return undefined;
    if (this.#isFresh(login.computedAt, rememberedMs) && (await this.#isSame(name, login))) return login.known;
    if (this.#logins.get(name) === login) this.#logins.delete(name);
    return undefined;
  }

  /** Remembers a login whose entry was seen with `version` by a look that began at `seenAt`. */
  remember(name: string, known: Known, login: { tag: Uint8Array; version: number; seenAt: number }): void {
    const { tag, version, seenAt } = login;
    const look: Look = { at: seenAt, same: Promise.resolve(true) };
    this.#logins.delete(name);
    this.#logins.set(name, { known, tag, version, computedAt: seenAt, look });
    const [oldest] = this.#logins.keys();
    if (this.#logins.size > loginsMax && oldest !== undefined) this.#logins.delete(oldest);
  }

  /** A look that has begun is shared. One that fails is not kept: the next call looks again. */
  async #isSame(name: string, login: Login<Known>): Promise<boolean> {
    if (!this.#isFresh(login.look.at, seenMs)) login.look = this.#look(name, login.version);
    const { look } = login;
    try {
      return await look.same;
    } catch (error) {
      if (login.look === look) login.look = { at: Number.NEGATIVE_INFINITY, same: look.same };
      throw error;
    }
  }

  #look(name: string, version: number): Look {
    const at = this.#options.now();
    return { at, same: this.#options.versionOf(name).then((found) => found === version) };
  }

  /** A clock that was set back makes nothing last longer. */
  #isFresh(at: number, ms: number): boolean {
    const age = this.#options.now() - at;
    return age >= 0 && age < ms;
  }
}
