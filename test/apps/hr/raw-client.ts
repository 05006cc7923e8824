import { connect, type Socket } from "node:net";

export interface RawReply {
  readonly status: number;
  readonly head: string;
  readonly text: string;
}

/** One connection on which a test says what it likes, also what is no HTTP. */
export class RawClient implements Disposable {
  readonly #socket: Socket;
  #received = "";
  #isClosed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8").on("data", (text: string) => {
      this.#received += text;
      this.#wake();
    });
    // A server that has answered may reset what it does not want to read.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  static async to(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const client = new RawClient(socket);
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return client;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when the bytes were handed on; false when nobody takes them any more. */
  send(bytes: string | Uint8Array): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.#isClosed || this.#socket.destroyed) resolve(false);
      else {
        this.#socket.write(bytes, (error) => resolve(error == null));
      }
    });
  }

  /** Says that nothing more comes, and still listens. */
  finish(): void {
    this.#socket.end();
  }

  /** Whether the head of an answer is here already. */
  get hasAnswer(): boolean {
    return this.#received.includes("\r\n\r\n");
  }

  /** Resolves when `text` was received. */
  async until(text: string): Promise<void> {
    while (!this.#received.includes(text)) await this.#more(`it was waiting for ${JSON.stringify(text)}`);
  }

  /** The next whole answer. */
  async reply(): Promise<RawReply> {
    await this.until("\r\n\r\n");
    const at = this.#received.indexOf("\r\n\r\n") + 4;
    const head = this.#received.slice(0, at);
    const isInterim = head.startsWith("HTTP/1.1 1");
    const size = isInterim ? 0 : Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? Number.POSITIVE_INFINITY);
    const isWhole = (): boolean => Buffer.byteLength(this.#received.slice(at)) >= size;
    while (!isWhole() && !(this.#isClosed && size === Number.POSITIVE_INFINITY))
      await this.#more("it was reading a body");
    const text = isInterim ? "" : this.#received.slice(at);
    this.#received = isInterim ? this.#received.slice(at) : "";
    return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head, text };
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    while (!this.#isClosed) await this.#more("").catch(() => undefined);
  }

  /** Goes away without a word. */
  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #more(what: string): Promise<void> {
    if (this.#isClosed) return Promise.reject(new Error(`the connection was closed while ${what}: ${this.#received}`));
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
