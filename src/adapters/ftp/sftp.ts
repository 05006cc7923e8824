import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import type { SFTPWrapper, Stats } from "ssh2";
import { limit } from "../../core/limit.ts";
import { partName, remoteMissing, requireFewEntries } from "../../core/remote-entry.ts";
import type { Remote, RemoteEntry, RemoteFactory } from "../../ports/remote.ts";
import { fileOf, readServerAddress, type ServerAddress } from "./address.ts";
import { knownKeys } from "./host-key.ts";
import { SftpConnection } from "./sftp-connection.ts";
import { explainSftp, isEnd, isNoSuchFile } from "./sftp-errors.ts";

/** `sftp://user@host/path`: key or password, and a server whose key is known. Throws URL_INVALID. */
export const sftpRemote: RemoteFactory = (place) => {
  const address = readServerAddress(place, 22, ["key_file", "passphrase_file", "host_key", "known_hosts"]);
  const passphrase = fileOf(place, "passphrase_file")?.replace(/\r?\n$/, "");
  const known = knownKeys(place, address.host, address.port);
  return new SftpRemote(address, new SftpConnection(address, { text: fileOf(place, "key_file"), passphrase }, known));
};

/** What servers give in one answer, and how many are asked for ahead. */
const pieceBytes = 32 * 1024;
const piecesAhead = limit.remotePieceBytes / pieceBytes;

class SftpRemote implements Remote {
  readonly root: string;
  readonly path: string;
  readonly #address: ServerAddress;
  readonly #connection: SftpConnection;

  constructor(address: ServerAddress, connection: SftpConnection) {
    this.root = address.root;
    this.path = address.path;
    this.#address = address;
    this.#connection = connection;
  }

  async list(folder: string): Promise<readonly RemoteEntry[]> {
    return this.#do(folder, false, async (sftp) => {
      try {
        const found = await promised<readonly Listed[]>((done) => sftp.readdir(folder === "" ? "." : folder, done));
        requireFewEntries(found.length, this.#shown(folder));
        return found.map(({ filename, attrs }) => entryOf(filename, attrs));
      } catch (error) {
        if (isNoSuchFile(error)) return [];
        throw error;
      }
    });
  }

  async look(path: string): Promise<RemoteEntry | undefined> {
    return this.#do(path, false, async (sftp) => {
      try {
        const found = entryOf(posix.basename(path), await promised<Stats>((done) => sftp.lstat(path || ".", done)));
        if (found.kind !== "other") return found;
        // The folder itself may be reached by a link, which a file may not.
        const meant = entryOf(found.name, await promised<Stats>((done) => sftp.stat(path || ".", done)));
        return meant.kind === "folder" ? meant : found;
      } catch (error) {
        if (isNoSuchFile(error)) return undefined;
        throw error;
      }
    });
  }

  async *read(path: string, start: number): AsyncGenerator<Uint8Array, void> {
    const sftp = await this.#sftp(path);
    let handle: Buffer | undefined;
    try {
      const opened = await promised<Buffer>((done) => sftp.open(path, "r", done));
      handle = opened;
      yield* piecesOf(sftp, opened, start);
    } catch (error) {
      if (isNoSuchFile(error)) throw remoteMissing(this.#shown(path));
      throw explainSftp(error, this.#shown(path), false, this.#address);
    } finally {
      // What cannot be closed has gone with its connection.
      if (handle !== undefined) sftp.close(handle, () => undefined);
    }
  }

  async write(path: string, content: Uint8Array): Promise<void> {
    const part = posix.join(posix.dirname(path), partName(randomUUID()));
    try {
      await this.#do(path, true, async (sftp) => {
        await writePart(sftp, part, content);
        await replaceBy(sftp, part, path);
      });
    } catch (error) {
      await this.remove(part).catch(() => undefined); // the first failure is the one to tell
      throw error;
    }
  }

  async move(path: string, target: string): Promise<void> {
    await this.#do(path, true, async (sftp) => {
      try {
        await answered((done) => sftp.rename(path, target, done));
      } catch (error) {
        if (isNoSuchFile(error) && (await this.look(path)) === undefined) throw remoteMissing(this.#shown(path));
        throw error;
      }
    });
  }

  async remove(path: string): Promise<void> {
    await this.#do(path, true, async (sftp) => {
      try {
        await answered((done) => sftp.unlink(path, done));
      } catch (error) {
        if (!isNoSuchFile(error)) throw error;
      }
    });
  }

  async makeFolder(path: string): Promise<void> {
    if (path === "" || (await this.look(path))?.kind === "folder") return;
    const above = posix.dirname(path);
    if (above !== path && above !== ".") await this.makeFolder(above);
    try {
      await this.#do(path, true, (sftp) => answered((done) => sftp.mkdir(path, done)));
    } catch (error) {
      if ((await this.look(path))?.kind !== "folder") throw error;
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #sftp(path: string): Promise<SFTPWrapper> {
    try {
      return await this.#connection.sftp();
    } catch (error) {
      throw explainSftp(error, this.#shown(path), false, this.#address);
    }
  }

  async #do<Result>(path: string, isChange: boolean, work: (sftp: SFTPWrapper) => Promise<Result>): Promise<Result> {
    const sftp = await this.#sftp(path);
    try {
      return await work(sftp);
    } catch (error) {
      throw explainSftp(error, this.#shown(path), isChange, this.#address);
    }
  }

  #shown(path: string): string {
    return `${this.root}${path.startsWith("/") ? "" : "/~/"}${path}`;
  }
}

interface Listed {
  readonly filename: string;
  readonly attrs: Stats;
}

type Done<Value> = (error: Error | undefined | null, value: Value) => void;

function promised<Value>(call: (done: Done<Value>) => unknown): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  call((error, value) => (error === undefined || error === null ? resolve(value) : reject(error)));
  return promise;
}

const answered = (call: (done: (error?: Error | null) => void) => unknown): Promise<void> =>
  promised<void>((done) => call((error) => done(error, undefined)));

/** Piece after piece, the next ones asked for meanwhile: the way to the server and back counts once and not for each. */
async function* piecesOf(sftp: SFTPWrapper, handle: Buffer, start: number): AsyncGenerator<Uint8Array, void> {
  const ahead: Promise<Uint8Array>[] = [];
  try {
    for (let at = start; ; ) {
      for (; ahead.length < piecesAhead; at += pieceBytes) {
        const piece = pieceAt(sftp, handle, at);
        piece.catch(() => undefined); // awaited in its turn: it must not count as unhandled before
        ahead.push(piece);
      }
      const bytes = (await ahead.shift()) ?? new Uint8Array();
      if (bytes.length > 0) yield bytes;
      if (bytes.length < pieceBytes) return;
    }
  } finally {
    // The file is closed behind them.
    await Promise.allSettled(ahead);
  }
}

/** Shorter at the end of the file alone: what a server gives too little of is asked for again. */
async function pieceAt(sftp: SFTPWrapper, handle: Buffer, at: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(pieceBytes);
  let length = 0;
  while (length < pieceBytes) {
    const some = await readSome(sftp, handle, bytes, length, at + length);
    if (some === 0) break;
    length += some;
  }
  return bytes.subarray(0, length);
}

async function readSome(sftp: SFTPWrapper, handle: Buffer, into: Buffer, from: number, at: number): Promise<number> {
  try {
    return await promised<number>((done) => sftp.read(handle, into, from, into.length - from, at, done));
  } catch (error) {
    if (isEnd(error)) return 0;
    throw error;
  }
}

async function writePart(sftp: SFTPWrapper, path: string, content: Uint8Array): Promise<void> {
  const handle = await promised<Buffer>((done) => sftp.open(path, "wx", done));
  try {
    const bytes = Buffer.from(content);
    if (bytes.length > 0) await answered((done) => sftp.write(handle, bytes, 0, bytes.length, 0, done));
    await synced(sftp, handle);
  } finally {
    await answered((done) => sftp.close(handle, done));
  }
}

/** Where the server can: OpenSSH does since its version 6.5. */
async function synced(sftp: SFTPWrapper, handle: Buffer): Promise<void> {
  try {
    await answered((done) => sftp.ext_openssh_fsync(handle, done));
  } catch (error) {
    if (!isExtensionMissing(error)) throw error;
  }
}

/** SFTP's own rename takes no name that is taken; OpenSSH's does, in one step. */
async function replaceBy(sftp: SFTPWrapper, part: string, path: string): Promise<void> {
  try {
    await answered((done) => sftp.ext_openssh_rename(part, path, done));
  } catch (error) {
    if (!isExtensionMissing(error)) throw error;
    await answered((done) => sftp.rename(part, path, done));
  }
}

function isExtensionMissing(error: unknown): boolean {
  return error instanceof Error && /does not support this extended request/i.test(error.message);
}

function entryOf(name: string, { mode, size, mtime }: Stats): RemoteEntry {
  const type = mode & 0o170000;
  const kind = type === 0o100000 ? "file" : type === 0o040000 ? "folder" : "other";
  return { name, kind, sizeBytes: size, version: `${mtime}-${size}` };
}
