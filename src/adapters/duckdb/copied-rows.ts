import { quoteIdentifier } from "../../core/identifier.ts";
import type { Rows } from "../../ports/rows.ts";
import type { Attachment } from "./attachment.ts";

/** What writing asks of a batch's rows. */
export interface ReadableRows extends Pick<Rows, "columns" | "count" | "select"> {
  /** Whether they lie outside the engine's memory, where every transaction sees them however long ago it began. */
  readonly isOutside?: boolean;
}

/** Rows that a transaction can read which began before they were made. */
export interface CopiedRows {
  readonly rows: ReadableRows;
  release(): Promise<void>;
}

/**
 * A transaction sees the engine's memory as it was when it first looked there, so it does not see the rows of later
 * batches. A database attached since is looked at for the first time: the rows are copied into one.
 */
export async function copyRows(attachment: Attachment, rows: ReadableRows): Promise<CopiedRows> {
  const database = quoteIdentifier(attachment.uniqueName("millrace_rows"));
  const select = await rows.select();
  await attachment.connected(async (connection) => {
    await connection.run(`attach ':memory:' as ${database}`);
    await connection.run(`create table ${database}.copied as ${select}`);
  });
  return {
    rows: { columns: rows.columns, count: rows.count, select: async () => `select * from ${database}.copied` },
    release: () =>
      attachment.connected(async (connection) => {
        await connection.run(`detach ${database}`);
      }),
  };
}
