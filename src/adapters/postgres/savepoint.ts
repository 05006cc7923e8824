import type { PoolClient } from "pg";
import { ask } from "./client.ts";

const name = "millrace";

/** The one savepoint of a load: set before what a row may break, and gone back to when one did. */
export class Savepoint {
  readonly #client: PoolClient;
  #state: "none" | "fresh" | "used" = "none";

  constructor(client: PoolClient) {
    this.#client = client;
  }

  /** From here on `back` undoes. What was done before is kept. */
  async mark(): Promise<void> {
    if (this.#state === "none") await this.#run(`savepoint ${name}`);
    // In one go: a savepoint inside the last one would pile up subtransactions.
    if (this.#state === "used") await this.#run(`release savepoint ${name}; savepoint ${name}`);
    this.#state = "used";
  }

  /** Undoes what was done since `mark`. */
  async back(): Promise<void> {
    await this.#run(`rollback to savepoint ${name}`);
    this.#state = "fresh";
  }

  async release(): Promise<void> {
    if (this.#state !== "none") await this.#run(`release savepoint ${name}`);
    this.#state = "none";
  }

  async #run(sql: string): Promise<void> {
    await ask(this.#client, "writing rows", sql);
  }
}
