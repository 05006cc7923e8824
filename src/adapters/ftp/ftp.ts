import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { type Client, type FileInfo, FTPError } from "basic-ftp";
import { limit } from "../../core/limit.ts";
import type { Place } from "../../core/place.ts";
import { oneOf } from "../../core/place-options.ts";
import { partName, remoteMissing, requireFewEntries } from "../../core/remote-entry.ts";
import type { Remote, RemoteEntry, RemoteFactory } from "../../ports/remote.ts";
import { fileOf, readServerAddress, type ServerAddress } from "./address.ts";
import { FtpConnections } from "./ftp-connections.ts";
import { type Deed, explainFtp, isAbsent, isUnknownCommand } from "./ftp-errors.ts";

/** `ftp://user@host/path`, and `ftps://` with TLS, asked for with AUTH TLS or `tls=implicit`. Throws URL_INVALID. */
export const ftpRemote: RemoteFactory = (place) => {
  const isSecure = place.scheme === "ftps";
  const mode = isSecure ? oneOf(place, "tls", ["explicit", "implicit"], "explicit") : "none";
  const port = mode === "implicit" ? 990 : 21;
  const address = readServerAddress(place, port, isSecure ? ["tls", "tls_ca"] : []);
  return new FtpRemote(address, new FtpConnections(address, { mode, ca: caOf(place) }));
};

const caOf = (place: Place): string | undefined => fileOf(place, "tls_ca");

class FtpRemote implements Remote {
  readonly root: string;
  readonly path: string;
  readonly #address: ServerAddress;
  readonly #connections: FtpConnections;
  #knowsMlst = true;

  constructor(address: ServerAddress, connections: FtpConnections) {
    this.root = address.root;
    this.path = address.path;
    this.#address = address;
    this.#connections = connections;
  }

  async list(folder: string): Promise<readonly RemoteEntry[]> {
    const found = await this.#do(
      folder,
      "read",
      async (client) => {
        try {
          // The path goes with CWD: in that of LIST many servers read flags and patterns.
          await client.cd(folder === "" ? "." : folder);
        } catch (error) {
          if (isAbsent(error)) return [];
          throw error;
        }
        return client.list();
      },
      true,
    );
    requireFewEntries(found.length, this.#shown(folder));
    return found.filter(({ name }) => name !== "." && name !== ".." && name !== "").map(entryOf);
  }

  async look(path: string): Promise<RemoteEntry | undefined> {
    if (this.#knowsMlst) {
      try {
        return await this.#do(path, "read", (client) => lookWith(client, path));
      } catch (error) {
        if (!(error instanceof Unknown)) throw error;
        this.#knowsMlst = false;
      }
    }
    const name = posix.basename(path);
    return (await this.list(folderOf(path))).find((entry) => entry.name === name);
  }

  async *read(path: string, start: number): AsyncGenerator<Uint8Array, void> {
    const client = await this.#connect(path);
    let [isWhole, isBegun] = [false, false];
    try {
      const sink = new PassThrough({ highWaterMark: limit.remotePieceBytes });
      const transfer = client.downloadTo(sink, path, start);
      // An error ends the stream too, where the loop below is told of it.
      transfer.then(
        () => sink.end(),
        (error: unknown) => sink.destroy(error as Error),
      );
      for await (const piece of sink as AsyncIterable<Uint8Array>) {
        isBegun = true;
        yield piece;
      }
      await transfer;
      isWhole = true;
    } catch (error) {
      const why = isBegun || error instanceof FTPError ? error : ((await this.#refusal(path)) ?? error);
      if (isAbsent(why) && (await this.look(path)) === undefined) throw remoteMissing(this.#shown(path));
      throw explainFtp(why, this.#shown(path), "read", this.#address);
    } finally {
      if (isWhole) this.#connections.giveBack(client);
      else this.#connections.discard(client);
    }
  }

  /** Of a server that resets the transfer before it says why: it is asked once more, without a way to send anything. */
  async #refusal(path: string): Promise<unknown> {
    const client = await this.#connect(path);
    try {
      await client.send(`RETR ${path}`);
      return undefined;
    } catch (error) {
      return isAbsent(error) ? error : undefined;
    } finally {
      this.#connections.discard(client);
    }
  }

  async write(path: string, content: Uint8Array): Promise<void> {
    const part = posix.join(folderOf(path), partName(randomUUID()));
    try {
      await this.#do(path, "change", async (client) => {
        await client.uploadFrom(Readable.from([content]), part);
        await client.rename(part, path);
      });
    } catch (error) {
      await this.remove(part).catch(() => undefined); // the first failure is the one to tell
      throw error;
    }
  }

  async move(path: string, target: string): Promise<void> {
    try {
      await this.#do(path, "change", (client) => client.rename(path, target));
    } catch (error) {
      if ((await this.look(path)) === undefined) throw remoteMissing(this.#shown(path));
      throw error;
    }
  }

  async remove(path: string): Promise<void> {
    try {
      await this.#do(path, "change", (client) => client.remove(path));
    } catch (error) {
      if ((await this.look(path)) !== undefined) throw error;
    }
  }

  async makeFolder(path: string): Promise<void> {
    const steps = path.split("/").filter((step) => step !== "");
    for (let count = 1; count <= steps.length; count += 1) {
      const folder = (path.startsWith("/") ? "/" : "") + steps.slice(0, count).join("/");
      try {
        await this.#do(folder, "change", (client) => client.send(`MKD ${folder}`));
      } catch (error) {
        // It is there already, or whoever comes first has made it.
        if ((await this.look(folder))?.kind !== "folder") throw error;
      }
    }
  }

  close(): Promise<void> {
    this.#connections.close();
    return Promise.resolve();
  }

  async #connect(path: string): Promise<Client> {
    try {
      return await this.#connections.take();
    } catch (error) {
      throw explainFtp(error, this.#shown(path), "connect", this.#address);
    }
  }

  /** `roams`: the work changes the folder that the connection is in. */
  async #do<Result>(
    path: string,
    deed: Deed,
    work: (client: Client) => Promise<Result>,
    roams = false,
  ): Promise<Result> {
    const client = await this.#connect(path);
    try {
      const home = roams ? await client.pwd() : undefined;
      const result = await work(client);
      if (home !== undefined) await client.cd(home);
      this.#connections.giveBack(client);
      return result;
    } catch (error) {
      // What the server has answered leaves the connection as it was.
      if ((error instanceof FTPError || error instanceof Unknown) && !roams) this.#connections.giveBack(client);
      else this.#connections.discard(client);
      throw error instanceof Unknown ? error : explainFtp(error, this.#shown(path), deed, this.#address);
    }
  }

  #shown(path: string): string {
    return `${this.root}${path.startsWith("/") ? "" : "/~/"}${path}`;
  }
}

/** The server has no MLST. */
class Unknown extends Error {}

async function lookWith(client: Client, path: string): Promise<RemoteEntry | undefined> {
  let message: string;
  try {
    ({ message } = await client.send(`MLST ${path}`));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw isUnknownCommand(error) ? new Unknown() : error;
  }
  const facts = message.split(/\r?\n/).find((line) => /^ ?[^ ]*(type|size)=/i.test(line));
  const [found] = facts === undefined ? [] : client.parseList(facts.replace(/^ /, ""));
  if (found === undefined) throw new Unknown();
  return { ...entryOf(found), name: posix.basename(path) };
}

function entryOf(found: FileInfo): RemoteEntry {
  const { name, size, modifiedAt, rawModifiedAt, uniqueID } = found;
  const kind = found.isFile ? "file" : found.isDirectory ? "folder" : "other";
  const changed = modifiedAt?.toISOString() ?? rawModifiedAt;
  return { name, kind, sizeBytes: size, version: [changed, size, uniqueID ?? ""].join("-") };
}

function folderOf(path: string): string {
  const folder = posix.dirname(path);
  return folder === "." ? "" : folder;
}
