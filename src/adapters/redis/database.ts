import { MillraceError } from "../../core/error.ts";
import type { ServerAddress } from "./address.ts";
import { type Answer, type Argument, Connection } from "./connection.ts";
import { explainError, type Remedies } from "./errors.ts";

const remedies: Remedies = {
  denied: "Check user and password in the URL, and the rights of the user (ACL); docs/stores.md lists the commands.",
  full: "Give the server more memory (maxmemory), or clear replicas that nobody needs.",
  cluster: "See the server's message and its log.",
  otherType: "A key of that name holds something of another program. Choose another database in the URL.",
};

/** A database in which a store or replicas lie, on one connection. What it throws are MillraceErrors. */
export class Database {
  readonly #address: ServerAddress;
  #connection: Connection | undefined;

  constructor(address: ServerAddress) {
    this.#address = address;
  }

  async open(): Promise<void> {
    this.#connection ??= new Connection(this.#address, {}, notOpen);
    await this.#explained(this.#connection.client());
  }

  /** Commands of one turn go out together. */
  ask(command: string, ...parts: readonly Argument[]): Promise<Answer> {
    return this.#explained(this.#ask(command, parts));
  }

  /** Runs a script, at once and whole. */
  run(script: string, keys: readonly string[], parts: readonly Argument[] = []): Promise<Answer> {
    return this.ask("EVAL", script, keys.length, ...keys, ...parts);
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
  }

  async #ask(command: string, parts: readonly Argument[]): Promise<Answer> {
    if (this.#connection === undefined) throw notOpen();
    const client = await this.#connection.client();
    return client.ask(command, ...parts);
  }

  async #explained<Value>(work: Promise<Value>): Promise<Value> {
    try {
      return await work;
    } catch (error) {
      throw explainError(error, this.#address, remedies);
    }
  }
}

function notOpen(): MillraceError {
  return new MillraceError("INTERNAL", "The store is not open", { remedy: "Call open first." });
}
