import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { drop, hold } from "../servers/keep.ts";
import type { LoaderPlan } from "./loader.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const node = join(root, "node_modules", ".bin", "node");

/** A line of JSON that a process printed. */
export interface Event {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** How a process ended and what it had said by then. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly events: readonly Event[];
  readonly stderr: string;
}

/** A process under test. It is killed when the tests end before it does. */
export class Subject {
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #events: Event[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const command = ["--disable-warning=ExperimentalWarning", join(root, script), ...args];
    const child = spawn(node, command, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    this.#child = child;
    if (child.pid !== undefined) hold(child.pid);
    this.ended = this.#watch(child);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with the n-th event (from 1) that `wanted` picks; rejects when the process ends without. */
  async event(wanted: (event: Event) => boolean, nth = 1): Promise<Event> {
    for (;;) {
      const found = this.#events.filter(wanted)[nth - 1];
      if (found !== undefined) return found;
      const { promise: more, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      const isOver = await Promise.race([more.then(() => false), this.ended.then(() => true)]);
      this.#waiting.delete(resolve);
      if (isOver && this.#events.filter(wanted)[nth - 1] === undefined) throw await this.#endedEarly();
    }
  }

  async #endedEarly(): Promise<Error> {
    const { code, signal, events, stderr } = await this.ended;
    return new Error(`it ended (${code ?? signal}) before that: ${JSON.stringify(events.at(-1))} ${stderr}`);
  }

  async #watch(child: ChildProcess): Promise<Ending> {
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new TypeError("the process has no output");
    let said = "";
    stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    createInterface({ input: stdout }).on("line", (line) => {
      this.#events.push(parsed(line));
      for (const wake of this.#waiting) wake();
    });
    const { promise, resolve, reject } = Promise.withResolvers<Pick<Ending, "code" | "signal">>();
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
    const how = await promise;
    if (child.pid !== undefined) drop(child.pid);
    return { ...how, events: this.#events, stderr: said };
  }
}

/** What was printed when the process was killed may be half a line. */
function parsed(line: string): Event {
  try {
    return JSON.parse(line) as Event;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { event: "cut", line };
  }
}

export function startLoader(plan: LoaderPlan): Subject {
  return new Subject("test/crash/loader.ts", [JSON.stringify(plan)]);
}

/** The summary of a process that must have come to its end. */
export function summaryOf(ending: Ending): Event {
  const last = ending.events.at(-1);
  if (ending.code === 0 && last?.event === "done") return last;
  throw new Error(`it ended with ${ending.code ?? ending.signal}: ${JSON.stringify(last)} ${ending.stderr}`);
}
