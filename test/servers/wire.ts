import { connect, type Socket } from "node:net";

const QUIET_MS = 5_000;

/** A connection for a few questions in a server's own protocol: what is missing of an answer is waited for. */
export class Wire {
  readonly #socket: Socket;
  #buffer = Buffer.alloc(0);
  #failure: Error | undefined;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(QUIET_MS, () => socket.destroy(new Error(`Silent for ${QUIET_MS} ms`)));
    socket.on("data", (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#wake();
    });
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("The server closed the connection")));
  }

  static async open(host: string, port: number): Promise<Wire> {
    const wire = new Wire(connect(port, host));
    await new Promise<void>((resolve, reject) => {
      wire.#socket.once("connect", resolve);
      wire.#socket.once("error", reject);
    });
    return wire;
  }

  /** To where a URL points. */
  static to(url: string): Promise<Wire> {
    const { hostname, port } = new URL(url);
    return Wire.open(hostname, Number(port));
  }

  write(data: string | Buffer): void {
    this.#socket.write(data);
  }

  async bytes(count: number): Promise<Buffer> {
    while (this.#buffer.length < count) await this.#more();
    return this.#take(count);
  }

  /** Without its line end. */
  async line(): Promise<string> {
    while (!this.#buffer.includes("\n")) await this.#more();
    return this.#take(this.#buffer.indexOf("\n") + 1)
      .toString()
      .trimEnd();
  }

  async rest(): Promise<string> {
    while (this.#failure === undefined) await this.#more().catch(() => {});
    return this.#take(this.#buffer.length).toString();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(count: number): Buffer {
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return taken;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  #more(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#wake = () => (this.#failure === undefined ? resolve() : reject(this.#failure));
    });
  }
}
