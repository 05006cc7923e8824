import { randomUUID } from "node:crypto";
import { lstat, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isJsonObject } from "../../../core/json.ts";
import { isOwn } from "./share-folder.ts";

/** What the process that has a DuckDB file writes beside it, for others to find it by. */
export interface ShareNote {
  readonly pid: number;
  readonly socket: string;
  /** Whoever knows it may read the note, and is let in. */
  readonly key: string;
}

/** What is found beside a file. */
export type FoundNote =
  | { readonly state: "none" }
  /** The note, its socket or the socket's folder could be another user's work, and is not to be followed. */
  | { readonly state: "foreign" }
  /** Its socket is not there, or not in this process's view of the disk. */
  | { readonly state: "silent"; readonly note: ShareNote }
  | { readonly state: "there"; readonly note: ShareNote };

const noteBytesMax = 64 * 1024;

function notePath(file: string): string {
  return `${file}.shared`;
}

/** Writes the note, whole or not at all, for this user's eyes alone. Takes the place of one that was left. */
export async function writeNote(file: string, note: ShareNote): Promise<void> {
  const unfinished = `${notePath(file)}.${process.pid}-${randomUUID()}`;
  try {
    await writeFile(unfinished, `${JSON.stringify(note)}\n`, { mode: 0o600, flag: "wx" });
    await rename(unfinished, notePath(file));
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

export async function removeNote(file: string): Promise<void> {
  await rm(notePath(file), { force: true });
}

export async function readNote(file: string): Promise<FoundNote> {
  const path = notePath(file);
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return { state: "none" };
  if (!found.isFile() || !isOwn(found) || isWritableByOthers(found.mode)) return { state: "foreign" };
  if (found.size > noteBytesMax) return { state: "none" };
  const note = noteIn(await readFile(path, "utf8").catch(() => ""));
  return note === undefined ? { state: "none" } : { state: await stateOf(note.socket), note };
}

function noteIn(text: string): ShareNote | undefined {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return undefined; // cut off, or not written by Millrace
  }
  if (!isJsonObject(said)) return undefined;
  const { pid, socket, key } = said;
  if (typeof pid !== "number" || typeof socket !== "string" || typeof key !== "string") return undefined;
  return { pid, socket, key };
}

async function stateOf(socket: string): Promise<"foreign" | "silent" | "there"> {
  if (process.platform === "win32") return "there";
  const found = await lstat(socket).catch(() => undefined);
  const folder = await lstat(dirname(socket)).catch(() => undefined);
  if (found === undefined || folder === undefined) return "silent";
  const isPrivate = folder.isDirectory() && isOwn(folder) && (folder.mode & 0o077) === 0;
  return isPrivate && found.isSocket() && isOwn(found) ? "there" : "foreign";
}

function isWritableByOthers(mode: number): boolean {
  return process.platform !== "win32" && (mode & 0o022) !== 0;
}
