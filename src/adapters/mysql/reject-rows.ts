import type { Reject } from "../../core/reject.ts";
import type { SinkBatch } from "../../ports/sink.ts";
import { bytesLiteral, literal } from "./literals.ts";
import type { Session } from "./session.ts";
import type { StateNames } from "./state.ts";

/** Characters of one statement: below the least that servers are set to take, but for a single reject that is larger. */
const statementChars = 512 * 1024;

/** Inserts rejects in as few statements as their size allows, in order. */
export async function insertRejects(
  session: Session,
  names: StateNames,
  { claim, batch, source, format }: SinkBatch,
  rejects: readonly Reject[],
): Promise<void> {
  const start = `insert into ${names.reject}
  (pipeline, lane, batch, source, format, record, line, record_offset, bytes, truncated, reasons) values `;
  const same = [claim.pipeline, claim.lane, batch, source, jsonText(format)].map(literal).join(", ");
  let rows: string[] = [];
  let chars = 0;
  const flush = async (): Promise<void> => {
    if (rows.length > 0) await session.ask("keeping rejects", start + rows.join(", "));
    rows = [];
    chars = 0;
  };
  for (const reject of rejects) {
    const row = `(${same}, ${ownValues(reject)})`;
    if (chars + row.length > statementChars) await flush();
    rows.push(row);
    chars += row.length;
  }
  await flush();
}

function ownValues({ record, line, offset, bytes, truncated, reasons }: Reject): string {
  const texts = [record, line ?? null, offset].map(literal);
  return [...texts, bytesLiteral(bytes), literal(truncated), literal(jsonText(reasons))].join(", ");
}

/**
 * JSON text that MySQL takes: half of a surrogate pair, which a failing value may well hold, it refuses, and a NUL makes
 * clients stumble. NUL is shown as its symbol.
 */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  // Whatever is not taken is written as an escape of this kind; looking at every value of every reject would cost more.
  if (!text.includes("\\u")) return text;
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "string" ? inner.replaceAll("\0", "\u2400").toWellFormed() : inner,
  );
}
