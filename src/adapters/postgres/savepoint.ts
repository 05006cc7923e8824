import type { PoolClient } from "pg";
import { ask } from "./client.ts";
import type { Step } from "./sequence.ts";

const name = "millrace";

/**
 * The one savepoint of a load: set before what a row may break, and gone back to when one did. Its statements are
 * given as text to send in front of the next one, which spares a round trip each.
 */
export class Savepoint {
  readonly #client: PoolClient;
  #state: "none" | "set" | "broken" = "none";

  constructor(client: PoolClient) {
    this.#client = client;
  }

  /** SQL that begins anew what `broken` undoes; what was done before it is kept. The caller sends it at once. */
  begin(): string {
    const before = this.#state;
    this.#state = "set";
    if (before === "none") return `savepoint ${name}; `;
    if (before === "broken") return `rollback to savepoint ${name}; `;
    // A savepoint inside the last one would pile up subtransactions.
    return `release savepoint ${name}; savepoint ${name}; `;
  }

  /** What was sent since `begin` has failed: undone with the next statement of this savepoint. */
  broken(): void {
    this.#state = "broken";
  }

  /** Goes back to it now if something behind it has failed: the transaction can be used for other things then. */
  async settle(): Promise<void> {
    if (this.#state === "broken") await this.release();
  }

  /** Ends the savepoint. */
  async release(): Promise<void> {
    const undo = this.#state === "broken" ? `rollback to savepoint ${name}; ` : "";
    if (this.#state !== "none") await ask(this.#client, purpose, `${undo}release savepoint ${name}`);
    this.#state = "none";
  }

  /** The statement that ends it, where it has to be ended still; the caller sends it together with the next ones. */
  ending(): readonly Step[] {
    if (this.#state !== "set") return [];
    this.#state = "none";
    return [{ name: "millrace_release", text: `release savepoint ${name}`, purpose }];
  }
}

const purpose = "writing rows";
