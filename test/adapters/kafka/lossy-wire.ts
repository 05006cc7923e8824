import { createServer, connect, type Server, type Socket } from "node:net";
import { HOST } from "../../servers/place.ts";

/** A connection through the wire. */
interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** What was not passed on to the server. */
  held: Buffer[] | undefined;
}

/** Stands before a broker, and loses what it is told to lose. */
export class LossyWire implements AsyncDisposable {
  readonly #listening: Server;
  readonly #links = new Set<Link>();
  /** The port of the broker. */
  target = 0;
  /** Of answers, every which is lost, together with its connection; 0 for none. The requests have been delivered. */
  loseEvery = 0;
  #answers = 0;
  lost = 0;

  private constructor(listening: Server) {
    this.#listening = listening;
  }

  static async listen(port: number): Promise<LossyWire> {
    const listening = createServer();
    const wire = new LossyWire(listening);
    listening.on("connection", (client) => wire.#link(client));
    await new Promise<void>((resolve) => listening.listen(port, HOST, resolve));
    return wire;
  }

  /** From now on nothing that clients send on the connections that are open is passed on. */
  hold(): void {
    for (const link of this.#links) link.held ??= [];
  }

  /** Passes on what was held, though the clients may be gone. */
  release(): void {
    for (const link of this.#links) {
      for (const bytes of link.held ?? []) link.server.write(bytes);
      link.held = undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client, server } of this.#links) {
      client.destroy();
      server.destroy();
    }
    await new Promise((resolve) => this.#listening.close(resolve));
  }

  #link(client: Socket): void {
    const server = connect(this.target, HOST);
    const link: Link = { client, server, held: undefined };
    this.#links.add(link);
    client.on("error", () => {});
    server.on("error", () => {});
    client.on("data", (bytes: Buffer) => {
      if (link.held === undefined) server.write(bytes);
      else link.held.push(bytes);
    });
    server.on("data", (bytes: Buffer) => {
      this.#answers += 1;
      if (this.loseEvery === 0 || this.#answers % this.loseEvery !== 0) {
        client.write(bytes);
        return;
      }
      this.lost += 1;
      client.destroy();
    });
    client.on("close", () => {
      if (link.held === undefined) server.end();
    });
    server.on("close", () => {
      this.#links.delete(link);
      client.destroy();
    });
  }
}
