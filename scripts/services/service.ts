import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { findProgram, servicesFolder } from "../../test/servers/program.ts";

/** One server that tests use, and the ways to get it. */
export interface Service {
  name: string;
  /** Debian packages that bring the server, or what is needed to make it. */
  packages: string[];
  /** Brings what the packages do not; called when `find` found nothing. */
  install?: () => Promise<void>;
  /** Where it is and which version; undefined when it is not here. */
  find: () => Promise<Found | undefined>;
  /** What to do by hand where none of the ways is open. */
  byHand: string;
}

export interface Found {
  version: string;
  where: string;
}

export interface Command {
  cwd?: string;
  env?: Record<string, string>;
}

/** Runs a program to its end. What it printed comes back, or goes into the error. */
export async function run(program: string, args: string[], options: Command = {}): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, {
      maxBuffer: 64 * 1024 * 1024,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
    });
    return stdout + stderr;
  } catch (error) {
    const { stdout = "", stderr = "", message } = error as Error & { stdout?: string; stderr?: string };
    const said = `${stdout}${stderr}`.trim().split("\n").slice(-8).join("\n");
    throw new Error(said === "" ? message : said, { cause: error });
  }
}

/** Finds a program and asks it for its version, which is the first thing it prints that looks like one. */
export async function findVersion(name: string, flag: string, folders: string[] = []): Promise<Found | undefined> {
  const where = findProgram(name, folders);
  if (where === undefined) return undefined;
  const said = await run(where, [flag]);
  return { version: /\d+\.\d+(\.\d+)*\w*/.exec(said)?.[0] ?? "unknown", where };
}

/** The programs among these that are not on this machine. */
export function lacking(...programs: string[]): string[] {
  return programs.filter((program) => findProgram(program) === undefined);
}

/** What this script made itself, with the version it made it from: a folder of the cache with a stamp in it. */
export function cacheFolder(name: string): string {
  return join(servicesFolder(), name);
}

export function findStamped(name: string, version: string): Found | undefined {
  const where = cacheFolder(name);
  try {
    return readFileSync(join(where, "version"), "utf8") === version ? { version, where } : undefined;
  } catch {
    return undefined;
  }
}

/** The stamp is written last: a folder without one was left half made. */
export function stamp(name: string, version: string): void {
  mkdirSync(cacheFolder(name), { recursive: true });
  writeFileSync(join(cacheFolder(name), "version"), version);
}
