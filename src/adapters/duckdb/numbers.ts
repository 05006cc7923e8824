import { MillraceError } from "../../core/error.ts";
import { quoteIdentifier } from "../../core/identifier.ts";
import { bigintCell, numberCell } from "./cells.ts";
import type { Attachment } from "./attachment.ts";
import type { Names } from "./location.ts";

export type Sequence = "millrace_batch" | "millrace_reject_id";

/**
 * Draws `count` numbers from a sequence; resolves with the first, the others follow it. Durable on return, whatever
 * becomes of any unit: a number is never drawn twice.
 */
export function drawNumbers(attachment: Attachment, names: Names, sequence: Sequence, count: number): Promise<bigint> {
  return attachment.numbers.inTurn(() =>
    attachment.connected(async (connection) => {
      // nextval takes its name as text, which cannot hold a quoted schema; the default schema says it instead.
      await connection.run(`use ${quoteIdentifier(names.database)}.${quoteIdentifier(names.stateSchema)}`);
      const [row] = await connection.all(
        `select min(n) as first, max(n) - min(n) + 1 as span
         from (select nextval('${sequence}') as n from range($1))`,
        [count],
      );
      if (row === undefined || numberCell(row, "span") !== count) throw gap(sequence);
      return bigintCell(row, "first");
    }),
  );
}

function gap(sequence: Sequence): MillraceError {
  return new MillraceError("INTERNAL", `The sequence ${sequence} does not count up by one`, {
    remedy: "Do not alter what is named millrace_; restore it from a backup.",
  });
}
