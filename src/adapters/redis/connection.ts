import { Redis, type RedisOptions } from "ioredis";
import { limit } from "../../core/limit.ts";
import type { ServerAddress } from "./address.ts";
import { ConnectionLost, ServerError, withoutCommand } from "./errors.ts";

export type Argument = string | number | Buffer;

/** An answer of the server; what is not asked for as bytes is text. */
export type Answer = string | number | Buffer | null | readonly Answer[];

/** Scripts that a connection loads before anything else is sent by it, by name. */
export type Scripts<Name extends string> = Readonly<Record<Name, string>>;

/**
 * One connection, from when it was had until it is lost: then everything under way fails, and nothing is sent again. The
 * client's own reconnecting is off: it repeats commands, and nobody could tell whether they were carried out before.
 */
export class Client<Name extends string = never> {
  readonly #redis: Redis;
  readonly #hashes: ReadonlyMap<Name, string>;

  private constructor(redis: Redis, hashes: ReadonlyMap<Name, string>) {
    this.#redis = redis;
    this.#hashes = hashes;
  }

  /** Fails as soon as the signal aborts. */
  static async connect<Name extends string>(
    address: ServerAddress,
    scripts: Scripts<Name>,
    signal?: AbortSignal,
  ): Promise<Client<Name>> {
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
      return new Client(redis, await loadScripts(redis, scripts));
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

  async run(script: Name, keys: readonly string[], parts: readonly Argument[] = []): Promise<Answer> {
    return this.#checked(this.ask("EVALSHA", this.#hashOf(script), keys.length, ...keys, ...parts));
  }

  /** The same, with texts as bytes. */
  async runForBytes(script: Name, keys: readonly string[], parts: readonly Argument[]): Promise<Answer> {
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

  #hashOf(script: Name): string {
    return this.#hashes.get(script) ?? "";
  }
}

function optionsOf({ host, port, tls }: ServerAddress): RedisOptions & { replyMapping: "legacy" } {
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
async function logIn(redis: Redis, { user, password, db }: ServerAddress): Promise<void> {
  if (password !== undefined) await redis.call("AUTH", ...(user === undefined ? [] : [user]), password);
  if (db > 0) await redis.call("SELECT", db);
  await redis.call("CLIENT", "SETNAME", "millrace").catch(ignoreRefusal);
}

/** A name for people who look at the server is not worth more. */
function ignoreRefusal(error: unknown): void {
  if (!(withoutCommand(error) instanceof ServerError)) throw error;
}

async function loadScripts<Name extends string>(
  redis: Redis,
  scripts: Scripts<Name>,
): Promise<ReadonlyMap<Name, string>> {
  const loading = (Object.keys(scripts) as Name[]).map(async (name) => {
    const hash = await redis.call("SCRIPT", "LOAD", scripts[name]);
    return [name, String(hash)] as const;
  });
  return new Map(await Promise.all(loading));
}

/** A connection that is had when it is first needed, and anew after it was lost. */
export class Connection<Name extends string = never> {
  readonly #address: ServerAddress;
  readonly #scripts: Scripts<Name>;
  readonly #refusal: () => Error;
  #client: Promise<Client<Name>> | undefined;
  #closed = false;

  /** `refusal`: what is thrown once it is closed. */
  constructor(address: ServerAddress, scripts: Scripts<Name>, refusal: () => Error) {
    this.#address = address;
    this.#scripts = scripts;
    this.#refusal = refusal;
  }

  async client(): Promise<Client<Name>> {
    const known = this.#client;
    const client = await known?.catch(() => undefined);
    // Unless somebody else has found out meanwhile, and opens another one.
    if (client?.isLost === true && this.#client === known) this.#client = undefined;
    if (this.#closed) throw this.#refusal();
    this.#client ??= this.#open();
    return this.#client;
  }

  async run(script: Name, keys: readonly string[], parts: readonly Argument[] = []): Promise<Answer> {
    return (await this.client()).run(script, keys, parts);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = await this.#client?.catch(() => undefined);
    client?.close();
  }

  async #open(): Promise<Client<Name>> {
    try {
      return await Client.connect(this.#address, this.#scripts);
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
  }
}
