import { Redis, type RedisOptions } from "ioredis";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { DatabaseAddress } from "./store-address.ts";
import { explainRedis } from "./store-error.ts";

export type Part = string | number;

/** An answer of the server, as text. */
export type Answer = string | number | null | readonly Answer[];

/**
 * A connection that is had when it is first needed, and anew once it was lost; what was under way then has failed, and is
 * not sent again. The client's own reconnecting is off: it repeats commands, and nobody could tell which were done.
 */
export class DatabaseConnection {
  readonly address: DatabaseAddress;
  #redis: Promise<Redis> | undefined;
  #isClosed = true;

  constructor(address: DatabaseAddress) {
    this.address = address;
  }

  async open(): Promise<void> {
    this.#isClosed = false;
    await this.#connected();
  }

  /** Commands of one turn go out together. Throws MillraceErrors. */
  async ask(command: string, ...parts: readonly Part[]): Promise<Answer> {
    const redis = await this.#connected();
    try {
      return (await redis.call(command, ...parts)) as Answer;
    } catch (error) {
      throw explainRedis(error, this.address);
    }
  }

  /** Runs a script, at once and whole. */
  run(script: string, keys: readonly string[], parts: readonly Part[] = []): Promise<Answer> {
    return this.ask("EVAL", script, keys.length, ...keys, ...parts);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const redis = await this.#redis?.catch(() => undefined);
    this.#redis = undefined;
    redis?.disconnect();
  }

  async #connected(): Promise<Redis> {
    const known = this.#redis;
    const redis = await known?.catch(() => undefined);
    if (redis?.status === "ready") return redis;
    if (this.#isClosed) throw new MillraceError("INTERNAL", "The store is not open", { remedy: "Call open first." });
    // Unless somebody else has found out meanwhile, and opens another one.
    if (this.#redis === known) this.#redis = connect(this.address);
    try {
      return await (this.#redis as Promise<Redis>);
    } catch (error) {
      throw explainRedis(error, this.address);
    }
  }
}

async function connect(address: DatabaseAddress): Promise<Redis> {
  const redis = new Redis(optionsOf(address));
  let failure: Error | undefined;
  redis.on("error", (error: Error) => {
    failure = error;
  });
  try {
    await redis.connect();
    await logIn(redis, address);
    return redis;
  } catch (error) {
    redis.disconnect();
    const isLost = error instanceof Error && error.message === "Connection is closed.";
    throw isLost && failure !== undefined ? failure : error;
  }
}

function optionsOf({ host, port, tls }: DatabaseAddress): RedisOptions & { replyMapping: "legacy" } {
  return {
    host,
    port,
    ...(tls === undefined ? {} : { tls }),
    lazyConnect: true,
    protocol: 2,
    replyMapping: "legacy",
    connectTimeout: limit.connectMs,
    // A server that hangs is one that is lost.
    socketTimeout: limit.redisRequestMs,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // What it would do is done in `logIn`, with errors that are errors.
    enableReadyCheck: false,
    disableClientInfo: true,
  };
}

/** Not by the client, which goes on in another database when it does not get into the one that was asked for. */
async function logIn(redis: Redis, { user, password, db }: DatabaseAddress): Promise<void> {
  if (password !== undefined) await redis.call("AUTH", ...(user === undefined ? [] : [user]), password);
  if (db > 0) await redis.call("SELECT", db);
}
