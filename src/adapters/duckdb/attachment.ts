import { quoteIdentifier, quoteLiteral } from "../../core/identifier.ts";
import type { EngineConnection, EngineHost } from "../../ports/engine.ts";
import { troubleOf } from "./errors.ts";
import { Turns } from "./turns.ts";

/** A DuckDB file attached to the engine of this process, shared by all sinks that name it. */
export class Attachment {
  readonly file: string;
  /** Its name in the engine. */
  readonly database: string;
  readonly readOnly: boolean;
  /**
   * Who writes rows: one unit at a time. DuckDB would let two write at once, and on two idle cores they gained a tenth to
   * a quarter; the other core is not idle, though, it checks the next batch meanwhile. And a key that both write fails
   * the later commit as a whole, where one after the other finds the row at fault.
   */
  readonly writers = new Turns();
  /** Who draws numbers from sequences, so that those drawn at once are consecutive. */
  readonly numbers = new Turns();
  readonly #engine: EngineHost;
  #broken = false;

  private constructor(engine: EngineHost, file: string, readOnly: boolean) {
    this.#engine = engine;
    this.file = file;
    this.readOnly = readOnly;
    this.database = engine.uniqueName("millrace_duckdb");
  }

  /** Attaches the file, which must not be attached in this process. Rejects with the engine's error. */
  static async open(engine: EngineHost, file: string, readOnly: boolean): Promise<Attachment> {
    const attachment = new Attachment(engine, file, readOnly);
    await attachment.connected((connection) => attachment.#attach(connection));
    return attachment;
  }

  uniqueName(prefix: string): string {
    return this.#engine.uniqueName(prefix);
  }

  /** A connection that sees the file under `database`; the caller closes it. */
  connect(): Promise<EngineConnection> {
    return this.#engine.connect();
  }

  /** Work on a connection of its own. */
  async connected<Result>(work: (connection: EngineConnection) => Promise<Result>): Promise<Result> {
    const connection = await this.#engine.connect();
    try {
      return await work(connection);
    } catch (error) {
      this.noteFailure(error);
      throw error;
    } finally {
      connection.close();
    }
  }

  /** After a failed checkpoint DuckDB closes a database until it is attached anew. */
  noteFailure(error: unknown): void {
    if (troubleOf(error) === "broken" || (error instanceof Error && /invalidated/i.test(error.message)))
      this.#broken = true;
  }

  /** Attaches the file anew when DuckDB has closed it. Call it in turn, with no unit open. */
  async repair(): Promise<void> {
    if (!this.#broken) return;
    await this.connected(async (connection) => {
      await detachBroken(connection, this.database);
      await this.#attach(connection);
    });
    this.#broken = false;
  }

  /**
   * Lets go of the file, with the log folded into it. Resolves with what kept the log from being folded in, such as a
   * full disk: then it stays beside the file with all that is committed, and the next to open the file reads it.
   */
  async close(): Promise<Error | undefined> {
    return this.connected(async (connection) => {
      try {
        // DETACH writes the checkpoint; asking for it first would write it twice.
        await connection.run(`detach ${quoteIdentifier(this.database)}`);
        return undefined;
      } catch (error) {
        if (error instanceof Error && error.message.startsWith("IO Error: Detached database")) return error;
        throw error;
      }
    });
  }

  async #attach(connection: EngineConnection): Promise<void> {
    // The type is said, or DuckDB would fetch an extension for a SQLite file.
    const options = this.readOnly ? "type duckdb, read_only" : "type duckdb";
    await connection.run(`attach ${quoteLiteral(this.file)} as ${quoteIdentifier(this.database)} (${options})`);
  }
}

/** DuckDB detaches an invalid database and then complains that it could not write its checkpoint. */
async function detachBroken(connection: EngineConnection, database: string): Promise<void> {
  try {
    await connection.run(`detach ${quoteIdentifier(database)}`);
  } catch (error) {
    const gone = error instanceof Error && /Detached database|database not found/i.test(error.message);
    if (!gone) throw error;
  }
}
