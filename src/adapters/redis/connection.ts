import { Redis, type RedisOptions } from "ioredis";
import { limit } from "../../core/limit.ts";
import type { Address } from "./address.ts";
import { ConnectionLost, ServerError, withoutCommand } from "./errors.ts";
import { closedLog } from "./refusals.ts";
import { type ScriptName, scripts } from "./scripts.ts";

export type Argument = string | number | Buffer;

/** An answer of the server; what is not asked for as bytes is text. */
export type Answer = string | number | Buffer | null | readonly Answer[];

/**
 * One connection, from when it was had until it is lost: then everything under way fails, and nothing is sent again. The
 * client's own reconnecting is off: it repeats commands, and nobody could tell whether they were carried out before.
 */
export class Client {
  readonly #redis: Redis;
  readonly #hashes: ReadonlyMap<ScriptName, string>;

  private constructor(redis: Redis, hashes: ReadonlyMap<ScriptName, string>) {
    this.#redis = redis;
    this.#hashes = hashes;
  }

  /** Fails as soon as the signal aborts. */
  static async connect(address: Address, signal?: AbortSignal): Promise<Client> {
    const redis = new Redis(optionsOf(address));
    let failure: Error | undefined;
    redis.on("error", (error: Error) => {
      failure = error;
    });
    const leave = (): void => redis.disconnect();
    signal?.addEventListener("abort", leave);
    try {
      signal?.throwIfAborted();
      await redis.connect();
      await logIn(redis, address);
      return new Client(redis, await loadScripts(redis));
    } catch (error) {
      redis.disconnect();
      const told = withoutCommand(error);
      throw told instanceof ConnectionLost && failure !== undefined ? withoutCommand(failure) : told;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  get isLost(): boolean {
    return this.#redis.status !== "ready";
  }

  /** Answers texts as text. */
  async ask(command: string, ...parts: readonly Argument[]): Promise<Answer> {
    try {
      return (await this.#redis.call(command, ...parts)) as Answer;
    } catch (error) {
      throw withoutCommand(error);
    }
  }

  async run(script: ScriptName, keys: readonly string[], parts: readonly Argument[] = []): Promise<Answer> {
    return this.#checked(this.ask("EVALSHA", this.#hashOf(script), keys.length, ...keys, ...parts));
  }

  /** The same, with texts as bytes. */
  async runForBytes(script: ScriptName, keys: readonly string[], parts: readonly Argument[]): Promise<Answer> {
    const call = this.#redis.callBuffer("EVALSHA", this.#hashOf(script), keys.length, ...keys, ...parts);
    try {
      return await this.#checked(call as Promise<Answer>);
    } catch (error) {
      throw withoutCommand(error);
    }
  }

  close(): void {
    this.#redis.disconnect();
  }

  /** Scripts that the server has forgotten are loaded with the next connection, before anything else is sent by it. */
  async #checked(answer: Promise<Answer>): Promise<Answer> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof Error && /^NOSCRIPT\b/.test(error.message)) this.close();
      throw error;
    }
  }

  #hashOf(script: ScriptName): string {
    return this.#hashes.get(script) ?? "";
  }
}

function optionsOf({ host, port, tls }: Address): RedisOptions & { replyMapping: "legacy" } {
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
async function logIn(redis: Redis, { user, password, db }: Address): Promise<void> {
  if (password !== undefined) await redis.call("AUTH", ...(user === undefined ? [] : [user]), password);
  if (db > 0) await redis.call("SELECT", db);
  await redis.call("CLIENT", "SETNAME", "millrace").catch(ignoreRefusal);
}

/** A name for people who look at the server is not worth more. */
function ignoreRefusal(error: unknown): void {
  if (!(withoutCommand(error) instanceof ServerError)) throw error;
}

async function loadScripts(redis: Redis): Promise<ReadonlyMap<ScriptName, string>> {
  const loading = (Object.keys(scripts) as ScriptName[]).map(async (name) => {
    const hash = await redis.call("SCRIPT", "LOAD", scripts[name]);
    return [name, String(hash)] as const;
  });
  return new Map(await Promise.all(loading));
}

/** A connection that is had when it is first needed, and anew after it was lost. */
export class Connection {
  readonly #address: Address;
  #client: Promise<Client> | undefined;
  #closed = false;

  constructor(address: Address) {
    this.#address = address;
  }

  async client(): Promise<Client> {
    const known = this.#client;
    const client = await known?.catch(() => undefined);
    // Unless somebody else has found out meanwhile, and opens another one.
    if (client?.isLost === true && this.#client === known) this.#client = undefined;
    if (this.#closed) throw closedLog(this.#address);
    this.#client ??= this.#open();
    return this.#client;
  }

  async run(script: ScriptName, keys: readonly string[], parts: readonly Argument[] = []): Promise<Answer> {
    return (await this.client()).run(script, keys, parts);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = await this.#client?.catch(() => undefined);
    client?.close();
  }

  async #open(): Promise<Client> {
    try {
      return await Client.connect(this.#address);
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
  }
}
