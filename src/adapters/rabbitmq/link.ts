import { type Channel, type ChannelModel, connect } from "amqplib";
import { limit } from "../../core/limit.ts";
import type { Time } from "../../core/time.ts";
import type { Address, Host } from "./address.ts";
import { closedQueue, LinkLost } from "./errors.ts";

/** One connection, from when it was had until it is lost. */
export class Connected {
  readonly model: ChannelModel;
  /** Why the broker takes nothing now: it has an alarm of memory or disk. */
  blocked: string | undefined;
  #lost: Error | undefined;
  readonly #toldBlocked = new Set<() => void>();

  constructor(model: ChannelModel) {
    this.model = model;
    let why: Error | undefined;
    model.on("error", (error) => {
      why = error;
    });
    model.on("blocked", (reason) => {
      this.blocked = reason;
      for (const tell of this.#toldBlocked) tell();
    });
    model.on("unblocked", () => {
      this.blocked = undefined;
    });
    model.on("close", () => {
      this.#lost = new LinkLost("the connection was lost", why === undefined ? {} : { cause: why });
    });
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  /** Calls back when the broker takes nothing any more. Answers how to be told no more. */
  whenBlocked(told: () => void): () => void {
    this.#toldBlocked.add(told);
    return () => this.#toldBlocked.delete(told);
  }
}

/**
 * The connection to the broker, had when it is first needed, and anew after it was lost. What is published and what is
 * consumed have one each: a broker that takes nothing more stops to read from the connection of those who publish.
 */
export class Link {
  readonly #address: Address;
  readonly #time: Pick<Time, "pause">;
  readonly #what: string;
  #connected: Promise<Connected> | undefined;
  #next = 0;
  #isClosed = false;

  constructor(address: Address, time: Pick<Time, "pause">, what: string) {
    this.#address = address;
    this.#time = time;
    this.#what = what;
  }

  async connected(): Promise<Connected> {
    if (this.#isClosed) throw closedQueue(this.#address);
    const connecting = (this.#connected ??= this.#connect());
    try {
      const connected = await connecting;
      if (connected.lost === undefined) return connected;
    } catch (error) {
      if (this.#connected === connecting) this.#connected = undefined;
      throw error;
    }
    if (this.#connected === connecting) this.#connected = undefined;
    return this.connected();
  }

  /** A channel of the connection, which ends with it. Its errors come to who waits for it, and as its end. */
  async channel(): Promise<Channel> {
    const { model } = await this.connected();
    return quiet(await model.createChannel());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const connected = await this.#connected?.catch(() => undefined);
    if (connected === undefined || connected.lost !== undefined) return;
    await within(connected.model.close(), this.#time);
    // Of a connection that was cut the client keeps the socket.
    (connected.model.connection as { readonly stream?: { destroy(): void } }).stream?.destroy();
  }

  async #connect(): Promise<Connected> {
    const { hosts } = this.#address;
    let failure: unknown;
    // The next host after one that failed, so that a cluster that lost one is reached.
    for (const _ of hosts) {
      const host = hosts[this.#next % hosts.length] as Host;
      try {
        return new Connected(await this.#connectTo(host));
      } catch (error) {
        failure = error;
        this.#next += 1;
      }
    }
    throw failure;
  }

  #connectTo({ name, port }: Host): Promise<ChannelModel> {
    const { user, password, virtualHost, tls } = this.#address;
    return connect(
      {
        protocol: tls === undefined ? "amqp" : "amqps",
        hostname: name,
        port,
        username: user,
        password,
        vhost: encodeURIComponent(virtualHost),
        heartbeat: limit.amqpHeartbeatMs / 1_000,
      },
      {
        noDelay: true,
        timeout: limit.connectMs,
        clientProperties: { connection_name: `millrace ${this.#what} ${this.#address.queue}` },
        ...tls,
      },
    );
  }
}

/** A channel whose end is told by what fails on it: an error that nobody listens to would end the process. */
export function quiet<Some extends Channel>(channel: Some): Some {
  channel.on("error", () => undefined);
  return channel;
}

/** Waits for an end, but not for one that never comes, as behind a network that was cut. */
export async function within(end: Promise<unknown>, time: Pick<Time, "pause">): Promise<void> {
  const over = new AbortController();
  const paused = time.pause(limit.amqpCloseMs, over.signal).catch(() => undefined);
  await Promise.race([end.catch(() => undefined), paused]);
  over.abort();
}
