import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Stands between guests and the host of a file, and can cut them off from an answer that is on its way. */
export class CutProxy implements AsyncDisposable {
  cuts = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), "millrace-proxy-"));
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCutting = false;

  private constructor(socket: string) {
    this.#server = createServer((guest) => this.#join(guest, connect({ path: socket })));
  }

  /** Has the note beside the file lead here. */
  static async before(file: string): Promise<CutProxy> {
    const note = JSON.parse(readFileSync(`${file}.shared`, "utf8")) as { socket: string };
    const proxy = new CutProxy(note.socket);
    const socket = join(proxy.#folder, "socket");
    proxy.#server.listen(socket);
    await once(proxy.#server, "listening");
    writeFileSync(`${file}.shared`, JSON.stringify({ ...note, socket }), { mode: 0o600 });
    return proxy;
  }

  /** The next that the host says is not heard, and the connection is over. */
  cutAtNextAnswer(): void {
    this.#isCutting = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #join(guest: Socket, host: Socket): void {
    for (const socket of [guest, host]) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        guest.destroy();
        host.destroy();
      });
    }
    guest.on("data", (bytes) => host.write(bytes));
    host.on("data", (bytes) => {
      if (!this.#isCutting) {
        guest.write(bytes);
        return;
      }
      this.#isCutting = false;
      this.cuts += 1;
      guest.destroy();
    });
  }
}
