import { type ChildProcess, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import type { Measured } from "../program.ts";

/** A program that does a turn for each line it is given, and says how long it took. */
export class Turning implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  private constructor(child: ChildProcess, reader: Interface) {
    this.#child = child;
    this.#reader = reader;
    this.#lines = reader[Symbol.asyncIterator]();
  }

  static async start(command: string, args: readonly string[]): Promise<Turning> {
    const child = spawn(command, [...args], { stdio: ["pipe", "pipe", "inherit"] });
    if (child.stdout === null) throw new TypeError("the program has no standard output");
    const turning = new Turning(child, createInterface({ input: child.stdout }));
    await turning.#line();
    return turning;
  }

  /** Throws when it did not push as many rows as there are. */
  async turn(rows: number): Promise<Measured> {
    this.#child.stdin?.write("\n");
    const line = await this.#line();
    const said = JSON.parse(line) as { readonly rows: number; readonly ms: number };
    if (said.rows !== rows) throw new Error(`${said.rows} of ${rows} rows were pushed`);
    return { ms: said.ms, stdout: line };
  }

  async #line(): Promise<string> {
    const next = await this.#lines.next();
    if (next.done === true) throw new Error("the program has ended");
    return next.value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    if (this.#child.exitCode === null) await ended;
    this.#reader.close();
  }
}
