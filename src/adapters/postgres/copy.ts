import type { PoolClient } from "pg";
import { from } from "pg-copy-streams";
import { quoteLiteral } from "../../core/identifier.ts";
import { withPurpose } from "./errors.ts";
import { columnList } from "./names.ts";

/** Bytes handed to the stream at once, and those that wait in it: the socket never runs dry, memory stays flat. */
const sliceBytes = 128 * 1024;
const waitingBytes = 1024 * 1024;

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
    const stream = client.query(from(sql, { highWaterMark: waitingBytes }));
    const slices = slicesOf(pieces);
    const feed = (): void => {
      for (let next = slices.next(); next.done !== true; next = slices.next()) {
        if (stream.write(next.value)) continue;
        stream.once("drain", feed);
        return;
      }
      stream.end();
    };
    stream.on("error", (error: Error) => {
      // Here and now, while the stream still has its connection: what waits in it must not be written any more.
      stream.destroy();
      reject(withPurpose(error, purpose));
    });
    stream.once("finish", () => resolve(stream.rowCount));
    feed();
  });
}

function* slicesOf(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  for (const piece of pieces) {
    for (let at = 0; at < piece.byteLength; at += sliceBytes) yield piece.subarray(at, at + sliceBytes);
  }
}
