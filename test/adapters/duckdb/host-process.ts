import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { deserialize, serialize } from "node:v8";
import type { EngineRow } from "../../../src/ports/engine.ts";

/** A long answer that another process has read. */
export interface ReadAnswer {
  readonly rows: number;
  /** Whether `id` counts up from 0. */
  readonly inOrder: boolean;
  /** Characters of `text`. */
  readonly chars: number;
  /** By how much the process grew meanwhile, at most. */
  readonly grownBytes: number;
}

/** A process that has DuckDB files and shares them, told what to do: see host-child.ts. */
export class HostProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #interface: Interface;
  #last: Promise<unknown> = Promise.resolve();

  constructor() {
    // As the command line starts Node: garbage is no growth then.
    const program = ["--max-semi-space-size=4", join(import.meta.dirname, "host-child.ts")];
    const child = spawn(process.execPath, program, { stdio: ["pipe", "pipe", "inherit"] });
    this.child = child;
    this.#interface = createInterface({ input: child.stdout });
    this.#lines = this.#interface[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  share(file: string): Promise<unknown> {
    return this.#ask("share", file);
  }

  hold(file: string): Promise<unknown> {
    return this.#ask("hold", file);
  }

  close(file: string): Promise<unknown> {
    return this.#ask("close", file);
  }

  async table(file: string, table: string): Promise<EngineRow[]> {
    return (await this.#ask("table", file, table)) as EngineRow[];
  }

  run(file: string, sql: string): Promise<unknown> {
    return this.#ask("run", file, sql);
  }

  async all(file: string, sql: string): Promise<EngineRow[]> {
    return (await this.#ask("all", file, sql)) as EngineRow[];
  }

  /** Reads the file through a sink of its own. */
  async read(file: string, sql: string): Promise<ReadAnswer> {
    return (await this.#ask("read", file, sql)) as ReadAnswer;
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    const ended = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await ended;
  }

  /** Has it close what it has and end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, "exit");
      this.child.stdin?.end();
      await ended;
    }
    this.#interface.close();
  }

  /** One task after another. */
  #ask(...task: readonly [string, ...unknown[]]): Promise<unknown> {
    const asked = this.#last.then(async () => {
      this.child.stdin?.write(`${serialize(task).toString("base64")}\n`);
      const line = await this.#lines.next();
      if (line.done === true) throw new Error(`the process ended before it did "${task[0]}"`);
      const answer = deserialize(Buffer.from(line.value, "base64")) as { value?: unknown; error?: string };
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer.value;
    });
    this.#last = asked.catch(() => undefined);
    return asked;
  }
}
