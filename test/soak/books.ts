import { setTimeout as pause } from "node:timers/promises";
import { Client } from "pg";
import { kafkaLog } from "../../src/adapters/kafka/index.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { Log } from "../../src/ports/log.ts";

/** What must be the same in the end, whatever was killed meanwhile. */
export interface Books {
  /** Records of the stream. */
  readonly appended: number;
  /** Sums of the ledger; `unbalanced` batches are none. */
  readonly read: number;
  readonly loaded: number;
  readonly merged: number;
  readonly rejected: number;
  readonly unbalanced: number;
  readonly rows: number;
  readonly rejects: number;
}

const settleMs = 180_000;

/** The stream, for who looks at it from outside; the caller closes it. */
export async function openStream(url: string): Promise<Log> {
  const wait = async (ms: number, signal?: AbortSignal): Promise<void> => {
    await pause(ms, undefined, signal === undefined ? {} : { signal });
  };
  const log = kafkaLog(parsePlace(url), { now: () => Date.now(), pause: wait, notice: () => undefined });
  await log.open();
  return log;
}

/** Waits until all that the stream holds is in the books. Throws with both when that does not come to pass. */
export async function settledBooks(stream: Log, table: string): Promise<Books> {
  const deadline = Date.now() + settleMs;
  for (;;) {
    const books = await booksOf(stream, table);
    if (books.read >= books.appended) return books;
    if (Date.now() > deadline) throw new Error(`not everything was read: ${JSON.stringify(books)}`);
    await pause(200);
  }
}

async function booksOf(stream: Log, table: string): Promise<Books> {
  const lanes = await stream.lanes();
  const appended = Number(lanes.reduce((sum, { end }) => sum + end, 0n));
  const [ledger] = await query<Record<string, string>>(
    table,
    `select coalesce(sum("read"), 0) as read, coalesce(sum(loaded), 0) as loaded, coalesce(sum(merged), 0) as merged,
  coalesce(sum(rejected), 0) as rejected,
  count(*) filter (where "read" <> loaded + merged + filtered + rejected) as unbalanced,
  (select count(*) from diag) as rows, (select count(*) from millrace_reject) as rejects from millrace_ledger`,
  );
  const of = (name: string): number => Number(ledger?.[name]);
  return {
    appended,
    read: of("read"),
    loaded: of("loaded"),
    merged: of("merged"),
    rejected: of("rejected"),
    unbalanced: of("unbalanced"),
    rows: of("rows"),
    rejects: of("rejects"),
  };
}

/** `vin timestamp` of all rows. */
export async function storedEvents(table: string): Promise<string[]> {
  const rows = await query<{ vin: string; timestamp: number }>(table, "select vin, timestamp from diag");
  return rows.map(({ vin, timestamp }) => `${vin} ${timestamp}`);
}

/** The bytes of all rejects, as text. */
export async function rejectedTexts(table: string): Promise<string[]> {
  const rows = await query<{ bytes: Buffer }>(table, "select bytes from millrace_reject");
  return rows.map(({ bytes }) => bytes.toString("latin1"));
}

async function query<Row extends object>(table: string, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: table });
  client.on("error", () => {}); // The query tells.
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}
