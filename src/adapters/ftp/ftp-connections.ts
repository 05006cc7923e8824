import { isIP } from "node:net";
import { Client } from "basic-ftp";
import { limit } from "../../core/limit.ts";
import type { ServerAddress } from "./address.ts";

/** How TLS is talked: not at all, after `AUTH TLS`, or from the first byte. */
export interface FtpTls {
  readonly mode: "none" | "explicit" | "implicit";
  readonly ca: string | undefined;
}

const listingBytesPerEntry = 1024;

/** The connections to a server: each does one thing at a time, and those that are free are used again. */
export class FtpConnections {
  readonly #address: ServerAddress;
  readonly #tls: FtpTls;
  readonly #all = new Set<Client>();
  #free: Client[] = [];
  #closed = false;

  constructor(address: ServerAddress, tls: FtpTls) {
    this.#address = address;
    this.#tls = tls;
  }

  async take(): Promise<Client> {
    for (let client = this.#free.pop(); client !== undefined; client = this.#free.pop()) {
      if (!client.closed) return client;
      this.#all.delete(client);
    }
    const client = new Client(limit.remoteMs, { maxListingBytes: limit.remoteEntries * listingBytesPerEntry });
    this.#all.add(client);
    try {
      await this.#login(client);
      if (this.#closed) throw new Error("the place was closed");
      return client;
    } catch (error) {
      this.discard(client);
      throw error;
    }
  }

  /** After what went well, or was answered in full. */
  giveBack(client: Client): void {
    if (client.closed || this.#closed || this.#free.length >= limit.remoteIdleConnections) this.discard(client);
    else this.#free.push(client);
  }

  discard(client: Client): void {
    this.#all.delete(client);
    client.close();
  }

  close(): void {
    this.#closed = true;
    for (const client of [...this.#all]) this.discard(client);
    this.#free = [];
  }

  async #login(client: Client): Promise<void> {
    const { host, port, user, password } = this.#address;
    const { mode, ca } = this.#tls;
    const secureOptions = {
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(ca === undefined ? {} : { ca }),
    };
    await client.access({
      host,
      port,
      user: user === "" ? "anonymous" : user,
      password: password ?? (user === "" ? "guest" : ""),
      secure: mode === "none" ? false : mode === "implicit" ? "implicit" : true,
      ...(mode === "none" ? {} : { secureOptions }),
    });
  }
}
