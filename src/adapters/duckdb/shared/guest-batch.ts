import { join } from "node:path";
import { limit } from "../../../core/limit.ts";
import type { Reject } from "../../../core/reject.ts";
import type { Refusal, UnitBatch } from "../written-batch.ts";
import type { SentBatch } from "./protocol.ts";
import { rowsInFile } from "./row-file.ts";

/** What was sent of a batch before it is written. */
export interface Staged {
  readonly rejects: readonly Reject[];
  readonly messageIds: readonly string[];
}

/** Asks the guest for the rejects of rows, in pieces. */
export type AskForRejects = (write: number, refusals: readonly Refusal[]) => AsyncIterable<readonly Reject[]>;

/** A guest's batch as a unit of the host takes it. Throws TypeError when its file is not in `folder`. */
export function guestBatch(sent: SentBatch, staged: Staged, folder: string, ask: AskForRejects): UnitBatch {
  const { write, columns, count, file, ...plain } = sent;
  if (file !== undefined && !/^\d+\.parquet$/.test(file)) throw new TypeError("a guest named a file of another place");
  return {
    ...plain,
    rows: rowsInFile(columns, count, file === undefined ? undefined : join(folder, file)),
    rejects: staged.rejects,
    ...(staged.messageIds.length === 0 ? {} : { messageIds: staged.messageIds }),
    refuse: (refusals) => rejectsOf(write, refusals, ask),
  };
}

async function rejectsOf(write: number, refusals: readonly Refusal[], ask: AskForRejects): Promise<Reject[]> {
  const rejects: Reject[] = [];
  for (let start = 0; start < refusals.length; start += limit.sharedRefusals) {
    const some = refusals.slice(start, start + limit.sharedRefusals);
    for await (const piece of ask(write, some)) rejects.push(...piece);
  }
  return rejects;
}
