import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { MillraceError, toMillraceError } from "../../core/error.ts";
import { isJsonObject, type Json } from "../../core/json.ts";

/**
 * Lets a command of the same user reach the service of a data folder: a note in the folder names a socket in a folder of
 * its own that nobody else may enter. A socket's path is limited to about a hundred bytes, so it does not lie in the data.
 */
const noteName = "service.json";

export interface Control {
  close(): Promise<void>;
}

/** Answers `reload` from now on. */
export async function openControl(data: string, reload: () => Promise<void>): Promise<Control> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-control-"));
  const path =
    process.platform === "win32" ? `\\\\.\\pipe\\millrace-${randomBytes(16).toString("hex")}` : join(folder, "socket");
  // Whoever asks has said all, and still listens.
  const server = createServer({ allowHalfOpen: true }, (socket) => answer(socket, reload));
  try {
    await listening(server, path);
    await writeNote(data, path);
  } catch (error) {
    server.close();
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    close: async () => {
      if ((await readNote(data)) === path) await rm(join(data, noteName), { force: true });
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Asks the service of a data folder to reload; resolves when it has. Rejects with USAGE when there is none, and with what it says. */
export async function askToReload(data: string): Promise<void> {
  const path = await readNote(data);
  const socket = path === undefined ? undefined : await connected(path);
  if (socket === undefined) {
    throw new MillraceError("USAGE", `No service with workers runs on ${data}`, {
      remedy: "Start one with millrace start --workers 2, or name its data folder with --data.",
    });
  }
  socket.end("reload\n");
  const answered =
    (await text(socket)) || JSON.stringify({ message: "The service ended meanwhile", remedy: "Start it." });
  const failure = JSON.parse(answered) as Failure;
  if (failure.message === undefined) return;
  throw new MillraceError("CONFIG_INVALID", failure.message, { remedy: failure.remedy ?? "" });
}

/** What the service answers: nothing of it when all went well. */
interface Failure {
  readonly message?: string;
  readonly remedy?: string;
}

function answer(socket: Socket, reload: () => Promise<void>): void {
  socket.once("error", () => socket.destroy()); // whoever asked has gone
  socket.once("data", (heard) => {
    const work = heard.toString("latin1") === "reload\n" ? reload() : Promise.reject(new TypeError("unknown request"));
    work
      .then(() => socket.end("{}"))
      .catch((error: unknown) => {
        const { message, remedy } = toMillraceError(error);
        socket.end(JSON.stringify({ message, remedy } satisfies Failure));
      });
  });
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve());
  });
}

/** Undefined when nobody listens there any more. */
function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ path, allowHalfOpen: true }, () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });
}

async function writeNote(data: string, socket: string): Promise<void> {
  const temporary = join(data, `.${noteName}.${process.pid}`);
  await writeFile(temporary, JSON.stringify({ socket }), { mode: 0o600 });
  await rename(temporary, join(data, noteName));
}

async function readNote(data: string): Promise<string | undefined> {
  try {
    const note = JSON.parse(await readFile(join(data, noteName), "utf8")) as Json;
    const socket = isJsonObject(note) ? note["socket"] : undefined;
    return typeof socket === "string" ? socket : undefined;
  } catch {
    return undefined; // no service, or one that was killed while it wrote
  }
}
