import { createServer, type Server, type Socket, connect } from "node:net";
import { HOST } from "../servers/place.ts";

/** What PostgreSQL says when a transaction was committed: a message of type `C` with the text COMMIT. */
const committed = Buffer.from("COMMIT\0");

/**
 * Stands between a client and PostgreSQL and steals the answers to some COMMITs: the server has committed, the client
 * sees its connection die and cannot know.
 */
export class AnswerThief {
  /** Answers stolen so far. */
  stolen = 0;
  readonly #upstream: URL;
  readonly #server: Server;
  readonly #isWanted: (answer: number) => boolean;
  readonly #sockets = new Set<Socket>();
  #answers = 0;

  private constructor(upstream: URL, isWanted: (answer: number) => boolean) {
    this.#upstream = upstream;
    this.#isWanted = isWanted;
    this.#server = createServer((client) => this.#between(client));
  }

  /** `isWanted` is asked with the number of each answer, from 1. */
  static async start(url: string, isWanted: (answer: number) => boolean): Promise<AnswerThief> {
    const thief = new AnswerThief(new URL(url), isWanted);
    await new Promise<void>((resolve) => void thief.#server.listen(0, HOST, resolve));
    return thief;
  }

  /** The server's URL with the thief on the way. TLS would hide the answers. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new TypeError("the proxy does not listen");
    const url = new URL(this.#upstream);
    url.port = String(address.port);
    url.searchParams.set("sslmode", "disable");
    return url.href;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => void this.#server.close(resolve));
  }

  #between(client: Socket): void {
    const server = connect(Number(this.#upstream.port), this.#upstream.hostname);
    const cut = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      // Ends of connections are what this is about; both sides notice by themselves.
      socket.on("error", cut).on("close", () => this.#sockets.delete(socket));
    }
    client.on("data", (bytes) => void server.write(bytes)).on("end", () => server.end());
    server
      .on("end", () => client.end())
      .on("data", (bytes) => {
        if (this.#steals(bytes)) cut();
        else client.write(bytes);
      });
  }

  #steals(bytes: Buffer): boolean {
    if (!bytes.includes(committed)) return false;
    this.#answers += 1;
    if (!this.#isWanted(this.#answers)) return false;
    this.stolen += 1;
    return true;
  }
}
