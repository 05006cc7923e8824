import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type { Connection, FieldPacket, ResultSetHeader } from "mysql2";
import type { EngineRow, EngineValue } from "../../ports/engine.ts";
import { withPurpose } from "./errors.ts";
import { type Bound, bind } from "./literals.ts";
import { readValue } from "./values.ts";

export interface Answer<Row> {
  readonly rows: readonly Row[];
  /** Rows that the statement wrote, or met by its condition. */
  readonly count: number;
  readonly warnings: number;
  /** What `last_insert_id(…)` was given. */
  readonly insertId: number;
}

/** Bytes that may wait in the socket before more are made. */
const waitingBytes = 512 * 1024;
/** Rows held for a reader before the server is made to wait. */
const rowsAhead = 1000;

const inTransaction = 1;

/** One connection to the server, set up by `Sessions`, for one caller at a time. */
export class Session {
  readonly #connection: Connection;
  #transaction = false;
  #lost = false;

  constructor(connection: Connection) {
    this.#connection = connection;
    // A session that is lost fails the statement under way, or the next one; without a listener it would end the process.
    connection.on("error", () => {
      this.#lost = true;
    });
    connection.once("end", () => {
      this.#lost = true;
    });
  }

  get isLost(): boolean {
    return this.#lost;
  }

  /** Whether a transaction was open when the last statement that wrote was done: the server ends one by itself at times. */
  get isInTransaction(): boolean {
    return this.#transaction;
  }

  /** Runs one statement, its `?`s replaced by the values. What fails carries `purpose`, for people. */
  ask<Row extends object = EngineRow>(
    purpose: string,
    sql: string,
    values: readonly Bound[] = [],
  ): Promise<Answer<Row>> {
    return this.#run<Row>(purpose, { sql: bind(sql, values) });
  }

  /**
   * Runs a LOAD DATA LOCAL INFILE, whose file's name `sql` is given, with these bytes. Whatever file the server asks for, it
   * gets no other bytes than these; no other statement answers such a question.
   */
  load(purpose: string, sql: (file: string) => string, pieces: Iterable<Uint8Array>): Promise<Answer<object>> {
    const name = `millrace-${randomUUID()}`;
    let stream: Readable | undefined;
    const infileStreamFactory = (asked: string): Readable => {
      stream = asked === name ? this.#streamOf(pieces) : refusal(asked);
      return stream;
    };
    return this.#run(purpose, { sql: sql(`'${name}'`), infileStreamFactory }).finally(() => stream?.destroy());
  }

  /** The rows of one statement as they come, in pieces, with the names of their columns. */
  async *stream(purpose: string, sql: string): AsyncGenerator<readonly EngineRow[]> {
    let names: readonly string[] = [];
    const query = this.#connection.query({ sql, rowsAsArray: true, typeCast: readValue });
    query.on("fields", (fields: FieldPacket[] | undefined) => {
      names = distinctNames((fields ?? []).map((field) => field.name));
    });
    let piece: EngineRow[] = [];
    try {
      for await (const row of query.stream({ highWaterMark: rowsAhead }) as AsyncIterable<unknown>) {
        // What is no list is the answer of a statement without rows.
        if (!Array.isArray(row)) continue;
        piece.push(Object.fromEntries(names.map((name, index) => [name, (row[index] ?? null) as EngineValue])));
        if (piece.length < rowsAhead) continue;
        yield piece;
        piece = [];
      }
    } catch (error) {
      throw withPurpose(error, purpose);
    }
    if (piece.length > 0) yield piece;
  }

  /** Says goodbye; the server undoes what is not committed. */
  end(): void {
    this.#lost = true;
    this.#connection.end(() => undefined);
  }

  /** Cuts the connection, whatever is under way. */
  destroy(): void {
    this.#lost = true;
    this.#connection.destroy();
  }

  #run<Row extends object>(
    purpose: string,
    options: { readonly sql: string; readonly infileStreamFactory?: (path: string) => Readable },
  ): Promise<Answer<Row>> {
    return new Promise((resolve, reject) => {
      this.#connection.query({ ...options, typeCast: readValue }, (error, result: unknown) => {
        if (error !== null) {
          reject(withPurpose(error, purpose));
        } else if (Array.isArray(result)) {
          resolve({ rows: result as Row[], count: result.length, warnings: 0, insertId: 0 });
        } else {
          const { affectedRows, warningStatus, insertId, serverStatus } = result as ResultSetHeader;
          this.#transaction = ((serverStatus ?? 0) & inTransaction) === inTransaction;
          resolve({ rows: [], count: affectedRows, warnings: warningStatus, insertId });
        }
      });
    });
  }

  /** Pieces are made no faster than the socket takes them. */
  #streamOf(pieces: Iterable<Uint8Array>): Readable {
    const { stream: socket } = this.#connection as unknown as { readonly stream: Socket };
    const source = pieces[Symbol.iterator]();
    return new Readable({
      highWaterMark: 1,
      read() {
        const give = (): void => {
          const next = source.next();
          this.push(next.done === true ? null : next.value);
        };
        if (socket.writableLength < waitingBytes) give();
        else socket.once("drain", give);
      },
    });
  }
}

function refusal(asked: string): Readable {
  return new Readable({
    read() {
      this.destroy(new FileAsked(asked));
    },
  });
}

/** The server wants to read a file of this machine that no statement offered it. */
export class FileAsked extends Error {
  constructor(asked: string) {
    super(`the server asks for the file ${JSON.stringify(asked)} of this machine`);
  }
}

/** Of two columns of one name the second is called `name_1`: none is hidden. */
function distinctNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let distinct = name;
    for (let n = 1; taken.has(distinct); n += 1) distinct = `${name}_${n}`;
    taken.add(distinct);
    return distinct;
  });
}
