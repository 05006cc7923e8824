import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { drop, hold } from "./keep.ts";
import { deleteFolder, type User } from "./place.ts";
import { gone, killTree, signal, treeOf } from "./tree.ts";

export interface Server {
  readonly url: string;
  /** Undefined while it is down, and for a server that is not ours. */
  readonly pid: number | undefined;
  /** Ends the server with everything it started and deletes its folder, unless that is one that is kept. */
  stop(): Promise<void>;
}

/** One whose death can be rehearsed: data, port and URL survive `halt`, `kill9` and `restart`. */
export interface RestartableServer extends Server {
  /** Shuts down in good order and keeps the data. */
  halt(): Promise<void>;
  /** Kills it and everything it started, as a power cut would. */
  kill9(): Promise<void>;
  /** Brings it up again after `halt` or `kill9`. */
  start(): Promise<void>;
  restart(): Promise<void>;
}

export interface Recipe {
  service: string;
  url: string;
  folder: string;
  /** The folder stays when the server is stopped. */
  kept?: boolean;
  command: string;
  args: string[];
  env?: Record<string, string>;
  user?: User | undefined;
  /** Speaks the protocol once; throws while the server does not answer. */
  ask: () => Promise<unknown>;
  /** What asks this program to shut down in good order. */
  stopSignal?: NodeJS.Signals;
  /** Send it to the whole process group: for programs that do not pass it on. */
  stopGroup?: boolean;
  startMs?: number;
}

const START_MS = 30_000;
const GRACE_MS = 20_000;
const LOG_CHARS_MAX = 4_000;

/** The end of what the server wrote, for the message of an error. */
function logOf(folder: string): string {
  try {
    return readFileSync(join(folder, "server.log"), "utf8").slice(-LOG_CHARS_MAX);
  } catch {
    return "(no log)";
  }
}

function launch(recipe: Recipe): ChildProcess {
  const log = openSync(join(recipe.folder, "server.log"), "a", 0o666);
  const child = spawn(recipe.command, recipe.args, {
    cwd: recipe.folder,
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, TMPDIR: recipe.folder, ...recipe.env },
    ...(recipe.user === undefined ? {} : { uid: recipe.user.uid, gid: recipe.user.gid }),
  });
  closeSync(log);
  child.once("error", () => {}); // It has no pid then, which `up` reports.
  child.unref();
  return child;
}

function exited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Waits until the server answers in its own protocol. */
async function answers(recipe: Recipe, child: ChildProcess): Promise<void> {
  const startMs = recipe.startMs ?? START_MS;
  const deadline = Date.now() + startMs;
  let last: unknown;
  while (Date.now() < deadline) {
    if (exited(child)) throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`);
    try {
      await recipe.ask();
      return;
    } catch (error) {
      last = error;
      await sleep(30);
    }
  }
  throw new Error(`no answer within ${startMs} ms`, { cause: last });
}

class OwnServer implements RestartableServer {
  readonly url: string;
  readonly #recipe: Recipe;
  #child: ChildProcess | undefined;

  constructor(recipe: Recipe) {
    this.url = recipe.url;
    this.#recipe = recipe;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.#recipe.service} runs already`);
    const child = launch(this.#recipe);
    if (child.pid === undefined) throw new Error(`${this.#recipe.command} cannot be run`);
    hold(child.pid);
    this.#child = child;
    try {
      await answers(this.#recipe, child);
    } catch (error) {
      await this.kill9();
      const reason = (error as Error).message;
      const message = `${this.#recipe.service} did not start: ${reason}\n${logOf(this.#recipe.folder)}`;
      throw new Error(message, { cause: error });
    }
  }

  async halt(): Promise<void> {
    await this.#end((pid) => {
      const tree = treeOf(pid);
      signal(this.#recipe.stopGroup === true ? -pid : pid, this.#recipe.stopSignal ?? "SIGTERM");
      return tree;
    });
  }

  async kill9(): Promise<void> {
    await this.#end(killTree);
  }

  async restart(): Promise<void> {
    await this.halt();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.kill9();
    if (this.#recipe.kept !== true) deleteFolder(this.#recipe.folder);
  }

  async #end(how: (pid: number) => number[]): Promise<void> {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    const tree = how(pid);
    await gone(tree, GRACE_MS);
    await gone(killTree(pid), 0); // What it started while it shut down.
    await this.#reaped();
    drop(pid);
    this.#child = undefined;
  }

  /** Until then its number is taken: a server that finds it in a lock file takes it for one that still runs. */
  async #reaped(): Promise<void> {
    const child = this.#child;
    if (child === undefined || exited(child)) return;
    child.ref();
    await once(child, "exit", { signal: AbortSignal.timeout(GRACE_MS) });
  }
}

/** Starts a server and resolves when it answers. */
export async function serve(recipe: Recipe): Promise<RestartableServer> {
  const server = new OwnServer(recipe);
  await server.start();
  return server;
}

/** Variables named after the URL's scheme where a service is named after its program. */
const SCHEMES: Record<string, string> = { mariadb: "mysql", ssh: "sftp" };

/** The environment variable that names a server to test against instead of a private one. */
export function urlVariable(service: string): string {
  return `MILLRACE_TEST_${(SCHEMES[service] ?? service).toUpperCase()}_URL`;
}

export function givenUrl(service: string): string | undefined {
  const url = process.env[urlVariable(service)];
  return url === "" ? undefined : url;
}

/** A server somebody else runs: tests may use it, and must not end it. */
export function foreignServer(service: string, url: string): RestartableServer {
  const refuse = async (): Promise<never> => {
    throw new Error(`The ${service} server of ${urlVariable(service)} is not ours to stop or start`);
  };
  return { url, pid: undefined, stop: async () => {}, halt: refuse, kill9: refuse, start: refuse, restart: refuse };
}
