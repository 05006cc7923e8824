import { type API, Connection } from "@platformatic/kafka";
import { limit } from "../../core/limit.ts";
import { type Address, type BrokerAddress, serverNameOf } from "./address.ts";

/**
 * What a connection is for. A broker answers the requests of one connection in their order, and some wait for long: what
 * must not wait for them has a connection of its own. `fetch` and `refetch` take turns: while the one waits at the end of
 * its lanes, the other fetches lanes that have been read empty meanwhile.
 */
export type Use = "ask" | "produce" | "join" | "heartbeat" | "fetch" | "refetch";

/** Connections to brokers, each opened when it is first used, and again when it was lost. */
export class Wires {
  readonly #address: Address;
  readonly #open = new Map<string, Promise<Connection>>();
  /** All that have a socket, also those that are being opened. */
  readonly #connections = new Set<Connection>();
  #closed = false;

  constructor(address: Address) {
    this.#address = address;
  }

  /**
   * Sends a request and resolves with the answer. Rejects with the client's error: at once when the connection is lost,
   * else when no answer came in time. Nothing is tried again.
   */
  async send<Request extends unknown[], Answer>(
    broker: BrokerAddress,
    use: Use,
    api: API<Request, Answer>,
    ...request: Request
  ): Promise<Answer> {
    const connection = await this.#connection(broker, use);
    return api.async(connection, ...request);
  }

  /** Ends all connections, whatever state they are in; requests under way fail. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#open.clear();
    await Promise.all([...this.#connections].map(endOf));
  }

  #connection(broker: BrokerAddress, use: Use): Promise<Connection> {
    if (this.#closed) return Promise.reject(new Error("the connections to Kafka are closed"));
    const key = `${use} ${broker.host} ${broker.port}`;
    const open = this.#open.get(key);
    if (open !== undefined) return open;
    const opening = this.#connect(broker, use, () => {
      if (this.#open.get(key) === opening) this.#open.delete(key);
    });
    this.#open.set(key, opening);
    return opening;
  }

  /** How long a request may take. Whoever joins a group is answered when all others have, or their session has ended. */
  #answerMs(use: Use): number {
    const { sessionMs } = this.#address;
    if (use === "join") return limit.kafkaRequestMs + sessionMs;
    return use === "heartbeat" ? Math.min(limit.kafkaRequestMs, sessionMs) : limit.kafkaRequestMs;
  }

  async #connect(broker: BrokerAddress, use: Use, forget: () => void): Promise<Connection> {
    const { clientId, tls, sasl } = this.#address;
    const serverName = serverNameOf(broker);
    const connection = new Connection(clientId, {
      connectTimeout: limit.connectMs,
      requestTimeout: this.#answerMs(use),
      ...(tls === undefined ? {} : { tls }),
      ...(sasl === undefined ? {} : { sasl }),
      ...(tls === undefined || serverName === undefined ? {} : { tlsServerName: serverName }),
    });
    // What fails is told to whoever asked; a second error of a lost connection would end the process unheard.
    connection.on("error", forget);
    connection.on("close", () => {
      forget();
      this.#connections.delete(connection);
    });
    this.#connections.add(connection);
    try {
      await connection.connect(broker.host, broker.port);
      return connection;
    } catch (error) {
      forget();
      this.#connections.delete(connection);
      destroy(connection);
      throw error;
    }
  }
}

/** The client waits for what is still to be written, which a broker that stands still never reads. */
async function endOf(connection: Connection): Promise<void> {
  const closed = connection.close();
  destroy(connection);
  await closed;
}

/** The client leaves the socket of a login that failed half open. */
function destroy(connection: Connection): void {
  const socket: Connection["socket"] | undefined = connection.socket;
  socket?.destroy();
}
