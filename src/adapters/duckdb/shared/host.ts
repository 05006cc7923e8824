import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { limit } from "../../../core/limit.ts";
import type { AdapterContext } from "../../../ports/adapter.ts";
import { frameOf, framesIn } from "./frames.ts";
import { contentOf, type Greeting, type Hello, helloIn, isSameVersion, ownVersions } from "./handshake.ts";
import { type Admission, HostSession } from "./host-session.ts";
import { makeShareFolder, type ShareFolder } from "./share-folder.ts";
import { removeNote, writeNote } from "./share-note.ts";

type Versions = ReturnType<typeof ownVersions>;

/** Lets other processes of this user work with a DuckDB file that this one has attached for writing. */
export class Host {
  readonly #file: string;
  readonly #context: AdapterContext;
  readonly #folder: ShareFolder;
  readonly #versions: Versions;
  readonly #server: Server;
  readonly #key = randomBytes(16).toString("hex");
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<HostSession>();
  #numbers = 0;

  private constructor(file: string, context: AdapterContext, folder: ShareFolder, versions: Versions) {
    this.#file = file;
    this.#context = context;
    this.#folder = folder;
    this.#versions = versions;
    this.#server = createServer((socket) => this.#receive(socket));
  }

  /** Listens, and says so in a note beside `file`, the real path of it. */
  static async open(file: string, context: AdapterContext): Promise<Host> {
    const folder = await makeShareFolder(context.now());
    const host = new Host(file, context, folder, ownVersions());
    try {
      await host.#listen();
      return host;
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  /** Ends all guests' connections and rolls back what they have open. The file stays attached. */
  async close(): Promise<void> {
    await removeNote(this.#file);
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([...this.#sessions].map((session) => session.ended));
    await rm(this.#folder.path, { recursive: true, force: true });
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#folder.socket);
    await once(this.#server, "listening");
    // A guest that could not be taken in, as for want of file descriptors, sees that nobody answers.
    this.#server.on("error", () => undefined);
    // It is closed with the sink; a process that ends without that is not to hang on it.
    this.#server.unref();
    await writeNote(this.#file, { pid: process.pid, socket: this.#folder.socket, key: this.#key });
  }

  #receive(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // Whatever ends the connection, its frames end too: that is where it is noticed.
    socket.on("error", () => undefined);
    socket.setTimeout(limit.connectMs, () => socket.destroy());
    this.#admit(socket).catch(() => socket.destroy());
  }

  async #admit(socket: Socket): Promise<void> {
    const isFull = this.#sockets.size > limit.sharedGuests;
    const greeting: Greeting = { ...this.#versions, pid: process.pid, isFull };
    socket.write(frameOf(contentOf(greeting)));
    const frames = framesIn(socket as AsyncIterable<Buffer>);
    const first = await frames.next();
    const hello = first.done === true ? undefined : helloIn(first.value);
    if (hello === undefined || isFull || !this.#isGuest(hello)) {
      socket.destroy();
      return;
    }
    socket.setTimeout(0);
    const session = new HostSession({ socket, frames, ...this.#placeOf(hello) }, this.#context);
    this.#sessions.add(session);
    await session.ended.finally(() => this.#sessions.delete(session));
  }

  #isGuest(hello: Hello): boolean {
    return hello.key === this.#key && isSameVersion(hello, this.#versions);
  }

  /** The guest's own schemas in this process's file, and a folder for what it sends. */
  #placeOf({ shown, schema, stateSchema }: Hello): Pick<Admission, "location" | "folder"> {
    this.#numbers += 1;
    const folder = join(this.#folder.path, String(this.#numbers));
    return { location: { path: this.#file, shown, schema, stateSchema }, folder };
  }
}
