import { jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { connect, credsAuthenticator, type NatsConnection, PermissionViolationError } from "@nats-io/transport-node";
import { limit } from "../../core/limit.ts";
import type { Address, Login } from "./address.ts";
import { ConnectionLost, withPurpose } from "./errors.ts";
import { closedLog } from "./refusals.ts";

/** The server does not let this user publish or subscribe. */
export type Denial = PermissionViolationError;

/** One connection, from when it was had until it is lost. */
export class Client {
  readonly nats: NatsConnection;
  readonly streams: JetStreamManager["streams"];
  readonly consumers: JetStreamManager["consumers"];
  /** Resolves when it is lost and everybody was told. */
  readonly ended: Promise<void>;
  readonly #toldLost = new Set<(error: Error) => void>();
  readonly #toldDenied = new Set<(denial: Denial) => void>();
  #lost: Error | undefined;

  constructor(nats: NatsConnection, { streams, consumers }: JetStreamManager) {
    this.nats = nats;
    this.streams = streams;
    this.consumers = consumers;
    this.ended = this.#watch();
  }

  /** That it is lost: what was under way may be done or not. */
  get lost(): Error | undefined {
    return this.#lost;
  }

  /** Calls back when it is lost. Answers how to be told no more. */
  whenLost(told: (error: Error) => void): () => void {
    this.#toldLost.add(told);
    return () => this.#toldLost.delete(told);
  }

  /** Calls back when the server lets something not through, which it answers with nothing. The same. */
  whenDenied(told: (denial: Denial) => void): () => void {
    this.#toldDenied.add(told);
    return () => this.#toldDenied.delete(told);
  }

  async #watch(): Promise<void> {
    const watching = this.#watchDenials();
    const error = await this.nats.closed();
    this.#lost = new ConnectionLost("the connection was lost", error instanceof Error ? { cause: error } : {});
    for (const tell of this.#toldLost) tell(this.#lost);
    await watching;
  }

  async #watchDenials(): Promise<void> {
    for await (const status of this.nats.status()) {
      if (status.type !== "error" || !(status.error instanceof PermissionViolationError)) continue;
      for (const tell of this.#toldDenied) tell(status.error);
    }
  }
}

/** What a server takes. */
export interface ServerFacts {
  /** Largest message, headers included. */
  readonly messageBytesMax: number;
  readonly valueBytesMax: number;
}

/** Left for a key, an id and a time beside the value. */
const headerBytesMax = 4_096;
/** `max_payload` of a server that is set up as it comes. */
const payloadBytes = 1_048_576;

function factsOf(messageBytesMax: number): ServerFacts {
  const valueBytesMax = Math.min(limit.logValueBytes, Math.max(0, messageBytesMax - headerBytesMax));
  return { messageBytesMax, valueBytesMax };
}

/**
 * The connection to the servers, had when it is first needed, and anew after it was lost. The client's own reconnecting
 * is off: it sends what was published meanwhile behind what was lost, and nobody could tell one from the other.
 */
export class Connection {
  readonly #address: Address;
  #client: Promise<Client> | undefined;
  #server = factsOf(payloadBytes);
  #closed = false;

  constructor(address: Address) {
    this.#address = address;
  }

  /** Of the server that was connected to last; of any one before. */
  get server(): ServerFacts {
    return this.#server;
  }

  /** The connection that is there, or a new one. */
  async client(): Promise<Client> {
    if (this.#closed) throw closedLog(this.#address);
    this.#client ??= this.#open();
    return this.#client;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = await this.#client?.catch(() => undefined);
    await client?.nats.close();
    await client?.ended;
  }

  async #open(): Promise<Client> {
    try {
      const nats = await connect(optionsOf(this.#address));
      const manager = await jetstreamManager(nats, { checkAPI: false, timeout: limit.natsRequestMs });
      if (nats.info !== undefined) this.#server = factsOf(nats.info.max_payload);
      const client = new Client(nats, manager);
      client.whenLost(() => {
        this.#client = undefined;
      });
      return client;
    } catch (error) {
      this.#client = undefined;
      throw withPurpose(error, "connecting");
    }
  }
}

function optionsOf({ servers, login, tls }: Address): Parameters<typeof connect>[0] {
  return {
    servers: [...servers],
    name: "millrace",
    reconnect: false,
    timeout: limit.connectMs,
    // A server that hangs is found out after three of these.
    pingInterval: limit.natsPingMs,
    maxPingOut: 2,
    noAsyncTraces: true,
    ...(tls === undefined ? {} : { tls }),
    ...(login === undefined ? {} : loginOptions(login)),
  };
}

function loginOptions(login: Login): object {
  if (login.kind === "user") return { user: login.user, pass: login.password };
  if (login.kind === "token") return { token: login.token };
  return { authenticator: credsAuthenticator(login.creds) };
}
