import { connect, createServer, type Server, type Socket } from "node:net";
import { HOST } from "../servers/place.ts";

/** Whose connections a cut concerns, and when it comes by itself. */
export interface CutOptions {
  /** Only connections that begin with bytes in which this stands, such as a client's id; without it all of them. */
  readonly of?: string;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Undefined until it has said something by which that is known. */
  isConcerned: boolean | undefined;
  /** What the client has sent and is on its way; passed on, late, when the cut is over. */
  held: Buffer[];
}

/**
 * Stands before a server and cuts it off from its clients as a network does: nothing passes in either direction, new
 * connections are taken and stay mute, and nobody is told. What was on its way arrives when the cut is over.
 */
export class CutWire implements AsyncDisposable {
  readonly #listening: Server;
  readonly #links = new Set<Link>();
  readonly #of: string | undefined;
  /** The port of the server. */
  target = 0;
  #isCut = false;
  #cutBefore: string | undefined;

  private constructor(listening: Server, of: string | undefined) {
    this.#listening = listening;
    this.#of = of;
  }

  static async listen(port: number, { of }: CutOptions = {}): Promise<CutWire> {
    const listening = createServer();
    const wire = new CutWire(listening, of);
    listening.on("connection", (client) => wire.#link(client));
    await new Promise<void>((resolve) => listening.listen(port, HOST, resolve));
    return wire;
  }

  cut(): void {
    this.#isCut = true;
    for (const link of this.#links) if (link.isConcerned === true) link.server.pause();
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Cuts when a client next sends something in which `text` stands, which is then held too. */
  cutBefore(text: string): void {
    this.#cutBefore = text;
  }

  /** Everything passes again, and no cut is to come by itself. */
  heal(): void {
    this.#cutBefore = undefined;
    this.#isCut = false;
    for (const link of this.#links) {
      for (const bytes of link.held.splice(0)) link.server.write(bytes);
      link.server.resume();
      if (link.client.destroyed) link.server.end();
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
    const link: Link = { client, server, isConcerned: this.#of === undefined ? true : undefined, held: [] };
    if (this.#isCut && link.isConcerned === true) server.pause();
    this.#links.add(link);
    client.on("error", () => {});
    server.on("error", () => {});
    client.on("data", (bytes: Buffer) => this.#pass(link, bytes));
    server.on("data", (bytes: Buffer) => client.write(bytes));
    client.on("close", () => {
      if (!this.#isCut || link.isConcerned !== true) server.end();
    });
    server.on("close", () => {
      this.#links.delete(link);
      // Also that the server has hung up is not heard of.
      if (!this.#isCut || link.isConcerned !== true) client.destroy();
    });
  }

  #pass(link: Link, bytes: Buffer): void {
    link.isConcerned ??= bytes.includes(this.#of ?? "");
    if (link.isConcerned && this.#cutBefore !== undefined && bytes.includes(this.#cutBefore)) {
      this.#cutBefore = undefined;
      this.cut();
    }
    if (this.#isCut && link.isConcerned) link.held.push(bytes);
    else link.server.write(bytes);
  }
}
