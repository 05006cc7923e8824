import { Client, Pool, type PoolClient, type QueryConfig } from "pg";
import { limit } from "../../core/limit.ts";
import type { Address } from "./address.ts";
import { withPurpose } from "./errors.ts";
import { resultTypes } from "./values.ts";

/** Units that may be open at once, and connections beside them for claims, reads and batch numbers. */
export const unitsMax = 16;
const connectionsMax = unitsMax + 4;

/** Waiting times of a session, in ms. */
export interface Patience {
  readonly lockMs: number;
  readonly idleInTransactionMs: number;
}

export const patience: Patience = { lockMs: limit.lockMs, idleInTransactionMs: limit.idleInTransactionMs };

export interface Answer<Row> {
  readonly rows: readonly Row[];
  readonly count: number;
  readonly command: string;
}

/** A statement that is sent often is prepared once a connection, under its name. */
export interface Statement {
  readonly text: string;
  readonly name?: string;
  readonly values?: readonly unknown[];
}

/** Runs one statement. What fails carries `purpose`, for people. */
export async function ask<Row extends object = object>(
  client: PoolClient | Client,
  purpose: string,
  statement: string | Statement,
): Promise<Answer<Row>> {
  const { values, ...config } = typeof statement === "string" ? { text: statement } : statement;
  const query: QueryConfig = values === undefined ? config : { ...config, values: [...values] };
  try {
    const { rows, rowCount, command } = await client.query<Row>(query);
    return { rows, count: rowCount ?? 0, command };
  } catch (error) {
    throw withPurpose(error, purpose);
  }
}

/** A bounded pool of sessions, all set up alike. */
export class Connections {
  readonly #address: Address;
  readonly #patience: Patience;
  readonly #ready = new WeakSet<PoolClient>();
  #pool: Promise<Pool> | undefined;

  constructor(address: Address, patienceMs: Patience) {
    this.#address = address;
    this.#patience = patienceMs;
  }

  /** A session for the caller alone; it must `release` it, with an error when the session cannot be used again. */
  async connect(): Promise<PoolClient> {
    try {
      this.#pool ??= this.#open();
      const pool = await this.#pool;
      const client = await pool.connect();
      if (!this.#ready.has(client)) await this.#setUp(client);
      return client;
    } catch (error) {
      throw withPurpose(error, "connecting");
    }
  }

  /** Runs `work` on a session and gives the session back, or ends it when the work failed. */
  async use<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.connect();
    try {
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  /** Runs one statement on any session. */
  ask<Row extends object = object>(purpose: string, statement: string | Statement): Promise<Answer<Row>> {
    return this.use((client) => ask<Row>(client, purpose, statement));
  }

  /** Runs `work` in a transaction and commits it. */
  transaction<Result>(purpose: string, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
    return this.use(async (client) => {
      await ask(client, purpose, "begin");
      const result = await work(client);
      await ask(client, purpose, "commit");
      return result;
    });
  }

  async close(): Promise<void> {
    const opening = this.#pool;
    this.#pool = undefined;
    if (opening === undefined) return;
    const pool = await opening;
    await pool.end();
  }

  /** With `prefer` the first connection finds out whether the server talks TLS. A failure is not remembered. */
  async #open(): Promise<Pool> {
    const { connection, encryption } = this.#address;
    try {
      const ssl = encryption.prefer && !(await this.#talksTls()) ? false : encryption.ssl;
      const pool = new Pool({ ...connection, ssl, types: resultTypes, max: connectionsMax });
      // An idle session that the server ends is replaced when the next one is asked for: nothing is lost with it.
      pool.on("error", () => {});
      return pool;
    } catch (error) {
      this.#pool = undefined;
      throw error;
    }
  }

  async #talksTls(): Promise<boolean> {
    const { connection, encryption } = this.#address;
    if (connection.host?.startsWith("/") === true) return false;
    const probe = new Client({ ...connection, ssl: encryption.ssl });
    // The promise of `connect` fails with the same error.
    probe.on("error", () => {});
    try {
      await probe.connect();
      return true;
    } catch (error) {
      if (error instanceof Error && error.message.includes("does not support SSL")) return false;
      throw error;
    } finally {
      await probe.end();
    }
  }

  async #setUp(client: PoolClient): Promise<void> {
    // A session that is lost fails the statement under way, or the next one; without a listener it would end the process.
    client.on("error", () => {});
    const { lockMs, idleInTransactionMs } = this.#patience;
    const settings = [
      ["lock_timeout", `${lockMs}ms`],
      ["idle_in_transaction_session_timeout", `${idleInTransactionMs}ms`],
      ["timezone", "UTC"],
      ["datestyle", "ISO"],
      ["intervalstyle", "postgres"],
      ["bytea_output", "hex"],
      ["extra_float_digits", "1"],
      ["standard_conforming_strings", "on"],
      ["client_min_messages", "warning"],
    ];
    const list = settings.map(([name], index) => `set_config('${name}', $${index + 1}, false)`);
    const values = settings.map(([, value]) => value);
    if (this.#address.schema !== undefined) {
      values.push(this.#address.schema);
      list.push(
        `set_config('search_path', quote_ident($${values.length}) || ', ' || current_setting('search_path'), false)`,
      );
    }
    try {
      await ask(client, "setting up the session", { text: `select ${list.join(", ")}`, values });
      this.#ready.add(client);
    } catch (error) {
      client.release(true);
      throw error;
    }
  }
}
