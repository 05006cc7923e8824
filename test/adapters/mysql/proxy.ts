import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** One connection through the proxy. */
export interface Link {
  /** Ends both sides at once. */
  cut(): void;
  toClient(bytes: Buffer): void;
}

/** What is passed on of bytes that come by; undefined keeps them back. */
export interface Meddling {
  readonly fromClient?: (bytes: Buffer, link: Link) => Buffer | undefined;
  readonly fromServer?: (bytes: Buffer, link: Link) => Buffer | undefined;
}

/** Stands between clients and a MySQL server. */
export class Proxy implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async before(url: string, meddling: Meddling): Promise<Proxy> {
    const { hostname, port } = new URL(url);
    const server = createServer((client) => proxy.#join(client, connect(Number(port), hostname), meddling));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const own = new URL(url);
    own.port = String((server.address() as AddressInfo).port);
    const proxy = new Proxy(server, own.href);
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(client: Socket, server: Socket, { fromClient, fromServer }: Meddling): void {
    const cut = (): void => {
      client.destroy();
      server.destroy();
    };
    const link: Link = { cut, toClient: (bytes) => void client.write(bytes) };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        cut();
      });
    }
    client.on("data", (bytes) => {
      const passed = fromClient === undefined ? bytes : fromClient(bytes, link);
      if (passed !== undefined) server.write(passed);
    });
    server.on("data", (bytes) => {
      const passed = fromServer === undefined ? bytes : fromServer(bytes, link);
      if (passed !== undefined) client.write(passed);
    });
  }
}

/** A packet of the protocol: three bytes of length, its number, and what it says. */
export function packet(number: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUIntLE(payload.length, 0, 3);
  head.writeUInt8(number, 3);
  return Buffer.concat([head, payload]);
}

/** The server's question for a file of the client's machine. */
export const fileQuestion = (path: string): Buffer => Buffer.concat([Buffer.from([0xfb]), Buffer.from(path)]);
