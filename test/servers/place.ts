import { execFileSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { drop, hold } from "./keep.ts";

export const HOST = "127.0.0.1";

export interface User {
  name: string;
  uid: number;
  gid: number;
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, HOST, () => probe.close(() => resolve(true)));
  });
}

/**
 * A port nobody uses, from below the range that systems give to outgoing connections: a server that is stopped and
 * started again must find its own port free, and there a stranger's connection cannot have taken it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    if (await canListen(port)) return port;
  }
  throw new Error("No free port found between 10000 and 32000");
}

/** The account to run as when the tests run as root and the program refuses to; undefined: as we are. */
export function unprivileged(...names: string[]): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of [...names, "nobody"]) {
    try {
      const number = (flag: string) => Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: "pipe" }));
      return { name, uid: number("-u"), gid: number("-g") };
    } catch {
      // No such account on this system: the next name.
    }
  }
  throw new Error(`None of the accounts ${names.join(", ")}, nobody exists`);
}

/** Whether everybody may read what lies there: each folder above it lets strangers through. */
export function enterable(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o005) !== 0o005) return false;
    if (at === dirname(at)) return true;
  }
}

function temporaryRoot(user: User | undefined): string {
  const root = tmpdir();
  return user === undefined || enterable(root) ? root : "/tmp";
}

export function deleteFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  drop(folder);
}

/** A folder that outlives the server in it, for the account that it runs as. */
function keptFolder(folder: string, user: User | undefined): string {
  mkdirSync(folder, { recursive: true });
  if (user === undefined) return folder;
  if (!enterable(dirname(folder))) {
    throw new Error(
      `The account ${user.name} cannot enter ${dirname(folder)}. Remedy: choose a folder that everybody may enter`,
    );
  }
  chownSync(folder, user.uid, user.gid);
  return folder;
}

/**
 * A fresh folder for one server, owned by the account it runs as; `fill` owns it unless it throws. `kept` is a folder to
 * use instead, with what it holds, and to leave there.
 */
export async function inFolder<T>(
  service: string,
  user: User | undefined,
  fill: (folder: string) => Promise<T>,
  kept?: string,
): Promise<T> {
  if (kept !== undefined) return fill(keptFolder(kept, user));
  const folder = mkdtempSync(join(temporaryRoot(user), `millrace-${service}-`));
  hold(folder);
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  try {
    return await fill(folder);
  } catch (error) {
    deleteFolder(folder);
    throw error;
  }
}
