import type { Reason, Reject } from "../core/reject.ts";
import type { RejectLike } from "../runtime/reject-json.ts";
import { clip, safeText } from "./shown.ts";

/** `hired.csv:43  column department_id: "8x" is not an integer`, a line for each reason, then the record, shortened. */
export function rejectLines(source: string, reject: RejectLike, columns: number | undefined): string[] {
  const at = `  ${safeText(placeOf(source, reject))}  `;
  const reasons = reject.reasons.map(
    (reason, index) => `${index === 0 ? at : " ".repeat(at.length)}${reasonText(reason)}`,
  );
  return [...reasons, `      ${clip(recordText(reject), (columns ?? 126) - 6)}`];
}

export function placeOf(source: string, reject: Pick<Reject, "line" | "offset">): string {
  return reject.line === undefined ? `${source} at ${reject.offset}` : `${source}:${reject.line}`;
}

export function reasonText(reason: Reason): string {
  const said = safeText(reason.message);
  const name = reason.column === undefined ? "" : safeText(reason.column);
  const column = said.startsWith(name) ? "" : `${name} `;
  const quoted = reason.value === undefined ? undefined : `"${safeText(reason.value)}"`;
  if (quoted === undefined || said.includes(quoted)) return `${column}${said}`;
  return `${column}${quoted} ${said}`;
}

/** The record as text fit for a terminal; its line end is left out. */
export function recordText(reject: Pick<Reject, "bytes" | "truncated">): string {
  const text = safeText(new TextDecoder().decode(reject.bytes).replace(/\r?\n$/, ""));
  return reject.truncated ? `${text}…` : text;
}
