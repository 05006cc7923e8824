import type { Connection, PoolClient, Submittable } from "pg";
import { quoteLiteral } from "../../core/identifier.ts";
import { withPurpose } from "./errors.ts";
import { columnList } from "./names.ts";
import type { Wire } from "./sequence.ts";

/** Bytes of one message: pieces of this size leave time for other things in between. */
const sliceBytes = 128 * 1024;
/** So few are sent together with the statement, without waiting for the server to ask for them. */
const sentAlongBytes = 256 * 1024;

/** `table` is quoted already. */
export function copySql(table: string, columns: readonly string[], delimiter: string): string {
  return `copy ${table} (${columnList(columns)}) from stdin with (format csv, delimiter ${quoteLiteral(delimiter)}, null '')`;
}

/**
 * Runs a COPY … FROM STDIN with these bytes, piece after piece. Resolves, when the server has taken them all, with the
 * number of rows that it counted. The bytes are not copied and must stay as they are until then.
 */
export function copyIn(
  client: PoolClient,
  purpose: string,
  sql: string,
  pieces: readonly Uint8Array[],
): Promise<number> {
  return new Promise((resolve, reject) => {
    client.query(
      new Copy(sql, pieces, (error, count) => {
        if (error === undefined) resolve(count);
        else reject(withPurpose(error, purpose));
      }),
    );
  });
}

const messageCode = "d".charCodeAt(0);
const headBytes = 5;
const doneMessage = Buffer.from([...Buffer.from("c"), 0, 0, 0, 4]);

/**
 * What the client drives: it is told of each message that answers. A server that has refused the statement, or a row,
 * passes over what still arrives of the bytes.
 */
class Copy implements Submittable {
  readonly #sql: string;
  readonly #slices: Iterator<Uint8Array>;
  readonly #isSentAlong: boolean;
  readonly #done: (error: Error | undefined, count: number) => void;
  #count = 0;
  #isOver = false;

  constructor(sql: string, pieces: readonly Uint8Array[], done: (error: Error | undefined, count: number) => void) {
    this.#sql = sql;
    this.#slices = slicesOf(pieces);
    this.#isSentAlong = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0) <= sentAlongBytes;
    this.#done = done;
  }

  /** The client replaces it where it limits the time of queries. */
  callback(): void {}

  submit(connection: Connection): void {
    const wire = connection as unknown as Wire;
    wire.stream.cork();
    wire.query(this.#sql);
    if (this.#isSentAlong) this.#feed(wire);
    wire.stream.uncork();
  }

  handleCopyInResponse(wire: Wire): void {
    if (!this.#isSentAlong) this.#feed(wire);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const count = /^COPY (\d+)/.exec(text)?.[1];
    if (count !== undefined) this.#count = Number(count);
  }

  handleError(error: Error): void {
    this.#isOver = true;
    this.#done(error, 0);
  }

  handleReadyForQuery(): void {
    this.#isOver = true;
    this.#done(undefined, this.#count);
  }

  /** Sends on as long as the socket takes it. */
  #feed(wire: Wire): void {
    const { stream } = wire;
    while (!this.#isOver) {
      const next = this.#slices.next();
      if (next.done === true) {
        stream.write(doneMessage);
        return;
      }
      stream.write(headOf(next.value));
      const isTaken = stream.write(next.value);
      if (isTaken || this.#isSentAlong) continue;
      stream.once("drain", () => this.#feed(wire));
      return;
    }
  }
}

function headOf(slice: Uint8Array): Buffer {
  const head = Buffer.alloc(headBytes);
  head[0] = messageCode;
  head.writeUInt32BE(slice.byteLength + headBytes - 1, 1);
  return head;
}

function* slicesOf(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  for (const piece of pieces) {
    for (let at = 0; at < piece.byteLength; at += sliceBytes) yield piece.subarray(at, at + sliceBytes);
  }
}
