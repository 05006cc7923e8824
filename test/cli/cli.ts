import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { employeesContract, employeesCsv } from "../../scripts/sample-data.ts";

const main = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");

export interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a user's shell would have: nothing of the npm or test runner around this test. */
function environment(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|VITEST|FORCE_COLOR|NODE_OPTIONS|MILLRACE_)/.test(name),
  );
  return { ...Object.fromEntries(kept), ...more };
}

/** An empty folder in which the command line is called. */
export class Workplace implements AsyncDisposable {
  readonly folder: string;
  readonly #running = new Set<ChildProcess>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Workplace> {
    return new Workplace(await mkdtemp(join(tmpdir(), "millrace-cli-")));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, text: string | Uint8Array): Promise<void> {
    await writeFile(this.path(name), text);
  }

  /** `hired.csv` of 1999 records of which 70 are bad, and its contract `hired.json`. */
  async writeEmployees(): Promise<void> {
    await this.write("hired.csv", employeesCsv({ rows: 1999, bad: 70 }));
    await this.write("hired.json", JSON.stringify(employeesContract));
  }

  start(args: readonly string[], more: Readonly<Record<string, string>> = {}): ChildProcess {
    // What a killed process spills is removed with the folder.
    const env = environment({ TMPDIR: this.folder, ...more });
    const child = spawn(process.execPath, [main, ...args], { cwd: this.folder, env, stdio: "pipe" });
    this.#running.add(child);
    child.once("close", () => this.#running.delete(child));
    return child;
  }

  millrace(...args: readonly string[]): Promise<Answer> {
    return ended(this.start(args));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running) child.kill("SIGKILL");
    await Promise.all([...this.#running].map((child) => new Promise((resolve) => child.once("close", resolve))));
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** All that a process says until it ends. */
export async function ended(child: ChildProcess): Promise<Answer> {
  const said = { stdout: "", stderr: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  return { code, ...said };
}

/** Resolves with the first line of standard output that holds `text`. */
export function lineWith(child: ChildProcess, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new TypeError("the process has no standard output");
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      if (line.includes(text)) resolve(line);
    });
    child.once("close", () => reject(new Error(`the process ended without a line with ${text}`)));
  });
}

export interface JsonEvent extends Readonly<Record<string, unknown>> {
  readonly event: string;
}

/** Lines of JSON as events. Throws when a line is anything else. */
export function eventsOf(stdout: string): JsonEvent[] {
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as JsonEvent);
}

export function lastEvent(stdout: string): JsonEvent {
  const last = eventsOf(stdout).at(-1);
  if (last === undefined) throw new Error("nothing was printed");
  return last;
}
