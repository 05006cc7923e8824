import type { BigIntStats } from "node:fs";
import { type FileHandle, glob, link, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { MillraceError } from "../../core/error.ts";
import type { FileEntry, Files, FileState, OpenFile } from "../../ports/files.ts";

const pieceBytes = 1024 * 1024;
const nearbyMax = 1000;

/** The files of a path or pattern (`*` `?` `**` `{a,b}` `[ab]`) on this machine. A file of that very name comes first. */
export function localFiles(path: string, shown: string): Files {
  return {
    shown,
    list: () => list(path),
    nearby: () => nearby(path),
    open: openLocal,
    local: async (file) => file,
    move,
    remove,
    close: async () => {},
  };
}

const globCharacters = /[*?[\]{}]/;

async function list(path: string): Promise<FileEntry[]> {
  const found = await look(path);
  if (found !== undefined) {
    refuseOther(path, found);
    return [entryOf(path, found)];
  }
  if (!globCharacters.test(path)) return [];
  const paths: string[] = [];
  for await (const match of glob(path)) paths.push(match);
  const entries: FileEntry[] = [];
  for (const match of paths.sort()) {
    const stats = await look(match);
    if (stats?.isFile() === true) entries.push(entryOf(match, stats));
  }
  return entries;
}

const entryOf = (path: string, stats: BigIntStats): FileEntry => ({
  path,
  sizeBytes: Number(stats.size),
  version: versionOf(stats),
});

const versionOf = (stats: BigIntStats): string => `${stats.mtimeNs}-${stats.size}`;

/** Undefined when there is nothing of that name. */
async function look(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreadable(path, error);
  }
}

async function nearby(path: string): Promise<string[]> {
  const folder = dirname(path);
  try {
    const names = await readdir(folder, { withFileTypes: true });
    const files = names.filter((entry) => entry.isFile()).slice(0, nearbyMax);
    return files.map((entry) => (folder === "." && !path.startsWith("./") ? entry.name : join(folder, entry.name)));
  } catch (error) {
    // A folder that is missing too has nothing to suggest; what cannot be read is no worse here.
    if (error instanceof Error) return [];
    throw error;
  }
}

async function openLocal(path: string): Promise<OpenFile> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (error) {
    if (!isMissing(error)) throw unreadable(path, error);
    throw new MillraceError("FILE_MISSING", `${path} is not there any more`, {
      remedy: "Put it back and run again. What was committed stays.",
      at: { source: path },
      cause: error,
    });
  }
  try {
    const stats = await handle.stat({ bigint: true });
    refuseOther(path, stats);
    return { ...entryOf(path, stats), ...opened(path, handle, stats.ino) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function opened(path: string, handle: FileHandle, inode: bigint): Pick<OpenFile, "read" | "now" | "close"> {
  return {
    read: (start, end) => read(path, handle, start, end),
    now: async () => {
      const stats = await handle.stat({ bigint: true });
      const named = await look(path);
      const name = named === undefined ? "gone" : named.ino === inode ? "same" : "replaced";
      return { sizeBytes: Number(stats.size), version: versionOf(stats), name } satisfies FileState;
    },
    close: () => handle.close(),
  };
}

async function* read(path: string, handle: FileHandle, start: number, end: number): AsyncGenerator<Uint8Array, void> {
  for (let at = start; at < end; ) {
    const length = Math.min(pieceBytes, end - at);
    const piece = Buffer.allocUnsafeSlow(length);
    const bytesRead = await readPiece(path, handle, piece, at);
    if (bytesRead === 0) return;
    yield piece.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function readPiece(path: string, handle: FileHandle, piece: Buffer, at: number): Promise<number> {
  try {
    return (await handle.read(piece, 0, piece.length, at)).bytesRead;
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function move(path: string, folder: string): Promise<void> {
  const target = join(dirname(path), folder);
  await mkdir(target, { recursive: true });
  const ending = extname(path);
  const stem = basename(path, ending);
  for (let more = 1; ; more += 1) {
    const name = join(target, more === 1 ? `${stem}${ending}` : `${stem}-${more}${ending}`);
    const taken = await claimName(path, name);
    if (taken === "gone") return;
    if (taken === "taken") continue;
    await syncFolder(target);
    await remove(path);
    return;
  }
}

/** A hard link takes a name only if it is free, which rename does not. Where there are none, a look must do. */
async function claimName(path: string, name: string): Promise<"moved" | "taken" | "gone"> {
  try {
    await link(path, name);
    return "moved";
  } catch (error) {
    if (codeOf(error) === "EEXIST") return (await sameFile(path, name)) ? "moved" : "taken";
    if (isMissing(error)) return "gone";
    if (!["EPERM", "ENOTSUP", "ENOSYS", "EMLINK", "EXDEV"].includes(codeOf(error))) throw unwritable(path, error);
  }
  if ((await look(name)) !== undefined) return "taken";
  try {
    await rename(path, name);
    return "moved";
  } catch (error) {
    if (isMissing(error)) return "gone";
    throw unwritable(path, error);
  }
}

/** An earlier attempt linked the name and stopped before it removed the old one. */
async function sameFile(path: string, name: string): Promise<boolean> {
  const [one, other] = await Promise.all([look(path), look(name)]);
  return one !== undefined && one.ino === other?.ino && one.dev === other.dev;
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (isMissing(error)) return;
    throw unwritable(path, error);
  }
  await syncFolder(dirname(path));
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } catch (error) {
    // Some file systems cannot sync a folder; a name that comes back after a power cut is settled again.
    if (!["EINVAL", "EPERM", "ENOTSUP", "EISDIR"].includes(codeOf(error))) throw unwritable(path, error);
  } finally {
    await folder.close();
  }
}

function refuseOther(path: string, stats: BigIntStats): void {
  if (stats.isFile()) return;
  const what = stats.isDirectory() ? "a folder" : "no regular file";
  throw new MillraceError("FILE_NOT_A_FILE", `${path} is ${what}`, {
    remedy: stats.isDirectory()
      ? `Name the files in it, such as ${join(path, "*.csv")}.`
      : "Copy its content into a file first.",
    at: { source: path },
  });
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";

const isMissing = (error: unknown): boolean => ["ENOENT", "ENOTDIR"].includes(codeOf(error));

function unreadable(path: string, cause: unknown): MillraceError {
  const why = codeOf(cause) === "EACCES" ? "permission denied" : String((cause as Error).message ?? cause);
  return new MillraceError("FILE_UNREADABLE", `${path} cannot be read: ${why}`, {
    remedy: "Check that this user may read the file, and run again.",
    at: { source: path },
    cause,
  });
}

function unwritable(path: string, cause: unknown): MillraceError {
  return new MillraceError(
    "FILE_UNREADABLE",
    `${path} cannot be moved or removed: ${String((cause as Error).message ?? cause)}`,
    {
      remedy: "Its records are committed. Give this user the right to write to its folder, or settle with keep.",
      at: { source: path },
      cause,
    },
  );
}
