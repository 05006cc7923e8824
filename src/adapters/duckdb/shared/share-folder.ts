import { randomUUID } from "node:crypto";
import { lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limit } from "../../../core/limit.ts";

const prefix = "millrace-shared-";
/** The system's bound on the path of a socket is 104 to 108 bytes. */
const socketPathBytesMax = 100;

/** A folder that only this user can look into: it holds the socket, and rows on their way to the host. */
export interface ShareFolder {
  readonly path: string;
  readonly socket: string;
}

/** Makes the folder under a name that nobody can know beforehand, and removes those that killed processes left. */
export async function makeShareFolder(nowMs: number): Promise<ShareFolder> {
  const parent = parentFolder();
  await removeLeftShares(parent, nowMs);
  const path = await mkdtemp(join(parent, `${prefix}${process.pid}-`));
  return { path, socket: isWindows ? `\\\\.\\pipe\\millrace-${randomUUID()}` : socketIn(path) };
}

const isWindows = process.platform === "win32";

function parentFolder(): string {
  const folder = tmpdir();
  const longest = socketIn(join(folder, `${prefix}${process.pid}-XXXXXX`));
  return isWindows || Buffer.byteLength(longest) <= socketPathBytesMax ? folder : "/tmp";
}

function socketIn(folder: string): string {
  return join(folder, "socket");
}

/** Removes folders of hosts that have gone. Never fails: another process may be at the same work. */
export async function removeLeftShares(parent: string, nowMs: number): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(prefix)) continue;
    const path = join(parent, name);
    if (await isLeft(path, Number.parseInt(name.slice(prefix.length), 10), nowMs))
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

/**
 * Whether the process is gone and nobody answers in the folder. The number may be one of another container's, whose host
 * answers all the same, unless it has only begun.
 */
async function isLeft(path: string, pid: number, nowMs: number): Promise<boolean> {
  if (Number.isNaN(pid) || isAlive(pid)) return false;
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || !found.isDirectory() || !isOwn(found)) return false;
  if (nowMs - found.mtimeMs < limit.connectMs) return false;
  return isWindows || !(await answers(socketIn(path)));
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect({ path: socket });
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Whether it belongs to the user of this process; true where files have no such owners. */
export function isOwn({ uid }: { readonly uid: number }): boolean {
  return process.getuid === undefined || uid === process.getuid();
}
