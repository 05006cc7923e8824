import { createConnection, type Connection } from "mysql2";
import { limit } from "../../core/limit.ts";
import type { EngineRow } from "../../ports/engine.ts";
import type { Address } from "./address.ts";
import { isWithoutTls, withPurpose } from "./errors.ts";
import type { Bound } from "./literals.ts";
import { type Answer, Session } from "./session.ts";

/** Units that may be open at once. */
export const unitsMax = 16;

/** What sessions are for, and how many of them there may be. */
const uses = {
  /** Beside units there are claims, reads and batch numbers. */
  write: { sessionsMax: unitsMax + 4, modes: "", sql: "set session transaction isolation level read committed" },
  /** They cannot write anything, not even tables; a name in double quotes is one, as in the SQL of all other places. */
  read: {
    sessionsMax: 8,
    modes: "ANSI_QUOTES,PIPES_AS_CONCAT,",
    sql: "set session transaction isolation level repeatable read, read only",
  },
} as const;

/** Waiting times of a session, in ms; the server counts whole seconds. */
export interface Patience {
  readonly lockMs: number;
  readonly idleMs: number;
}

export const patience: Patience = { lockMs: limit.lockMs, idleMs: limit.idleInTransactionMs };

/** A session that lies idle, and since when. */
interface Idle {
  readonly session: Session;
  readonly since: number;
}

/** A bounded number of sessions, all set up alike, used again. */
export class Sessions {
  readonly #use: (typeof uses)[keyof typeof uses];
  readonly #address: Address;
  readonly #patience: Patience;
  readonly #now: () => number;
  readonly #idle: Idle[] = [];
  readonly #waiting: (() => void)[] = [];
  #taken = 0;
  #withoutTls = false;
  #closing: (() => void) | undefined;

  constructor(use: "write" | "read", address: Address, patienceMs: Patience, now: () => number) {
    this.#use = uses[use];
    this.#address = address;
    this.#patience = patienceMs;
    this.#now = now;
  }

  /** A session for the caller alone, who must `release` it. */
  async connect(): Promise<Session> {
    // Who waits is given the place of one that is let go.
    if (this.#taken >= this.#use.sessionsMax) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#taken += 1;
    try {
      return this.#takeIdle() ?? (await this.#open());
    } catch (error) {
      this.#letNext();
      throw withPurpose(error, "connecting");
    }
  }

  /** Gives a session back; `broken` ones are cut, which makes the server undo what is open. */
  release(session: Session, broken: boolean): void {
    if (broken || session.isLost) session.destroy();
    else this.#idle.push({ session, since: this.#now() });
    this.#letNext();
  }

  /** Runs `work` on a session and gives the session back, or ends it when the work failed. */
  async use<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    const session = await this.connect();
    try {
      const result = await work(session);
      this.release(session, false);
      return result;
    } catch (error) {
      this.release(session, true);
      throw error;
    }
  }

  /** Runs one statement on any session. */
  ask<Row extends object = EngineRow>(
    purpose: string,
    sql: string,
    values: readonly Bound[] = [],
  ): Promise<Answer<Row>> {
    return this.use((session) => session.ask<Row>(purpose, sql, values));
  }

  /** Runs `work` in a transaction and commits it. */
  transaction<Result>(purpose: string, work: (session: Session) => Promise<Result>): Promise<Result> {
    return this.use(async (session) => {
      await session.ask(purpose, "start transaction");
      const result = await work(session);
      await session.ask(purpose, "commit");
      return result;
    });
  }

  /** Ends what is idle and waits for what is in use. Afterwards it may be used again. */
  async close(): Promise<void> {
    if (this.#taken > 0) await new Promise<void>((resolve) => (this.#closing = resolve));
    this.#closing = undefined;
    for (const { session } of this.#idle.splice(0)) session.end();
  }

  #letNext(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) return next();
    this.#taken -= 1;
    if (this.#taken === 0) this.#closing?.();
  }

  /** The server ends what is idle for long: such a session is not tried. */
  #takeIdle(): Session | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      const { session, since } = idle;
      if (!session.isLost && this.#now() - since < this.#patience.idleMs / 2) return session;
      session.destroy();
    }
    return undefined;
  }

  /** With `prefer` the first connection finds out whether the server talks TLS. */
  async #open(): Promise<Session> {
    const { encryption } = this.#address;
    try {
      return await this.#setUp(await this.#dial(!this.#withoutTls));
    } catch (error) {
      if (this.#withoutTls || !encryption.prefer || !isWithoutTls(error)) throw error;
      this.#withoutTls = true;
      return this.#setUp(await this.#dial(false));
    }
  }

  #dial(encrypted: boolean): Promise<Connection> {
    const { host, port, socketPath, user, password, database, connectMs, encryption } = this.#address;
    const connection = createConnection({
      ...(socketPath === undefined ? { host, port } : { socketPath }),
      ...(password === undefined ? {} : { password }),
      ...(encrypted && encryption.ssl !== undefined ? { ssl: encryption.ssl } : {}),
      ...{ user, database, connectTimeout: connectMs, charset: "utf8mb4", supportBigNumbers: true },
      ...{ enableKeepAlive: true, keepAliveInitialDelay: limit.connectMs },
      connectAttributes: { program_name: "millrace" },
    });
    return new Promise((resolve, reject) => {
      // What comes after the first error repeats it; without a listener it would end the process.
      connection.on("error", reject);
      connection.connect((error) => {
        if (error === null) {
          resolve(connection);
        } else {
          connection.destroy();
          reject(error);
        }
      });
    });
  }

  async #setUp(connection: Connection): Promise<Session> {
    const session = new Session(connection);
    try {
      const purpose = "setting up the session";
      await session.ask(purpose, settings(this.#use.modes, this.#patience));
      await session.ask(purpose, this.#use.sql);
      return session;
    } catch (error) {
      session.destroy();
      throw error;
    }
  }
}

/** Whatever the server is set to, values are taken as they are or refused, times are UTC, and reasons are English. */
function settings(more: string, { lockMs, idleMs }: Patience): string {
  const lockSeconds = Math.max(1, Math.ceil(lockMs / 1000));
  const idleSeconds = Math.max(1, Math.ceil(idleMs / 1000));
  const modes =
    "STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO";
  const values = [
    ...[`sql_mode = '${more}${modes}'`, "time_zone = '+00:00'", "lc_messages = 'en_US'", "autocommit = 1"],
    ...["sql_notes = 1", "max_error_count = 64", "sql_safe_updates = 0", "sql_auto_is_null = 0"],
    ...["foreign_key_checks = 1", "unique_checks = 1", "sql_select_limit = default"],
    ...[`innodb_lock_wait_timeout = ${lockSeconds}`, `lock_wait_timeout = ${lockSeconds}`],
    ...[`wait_timeout = ${idleSeconds}`, `net_write_timeout = ${10 * idleSeconds}`],
  ];
  return `set session ${values.join(", ")}`;
}
