import { jsonValue } from "../core/json-value.ts";
import type { Reject } from "../core/reject.ts";
import type { Appendable, LogRecord } from "../ports/log.ts";
import type { BatchWatch } from "./lane-services.ts";

/**
 * Appends every reject to a log or queue as well, as a JSON object with its bytes (text, or base64 where it is no UTF-8), place
 * and reasons. It is durable there before the batch commits; when the commit has to be done again it is appended again
 * under the same id: at least once.
 */
export function deadLetterWatch(
  log: Pick<Appendable, "append" | "explain">,
  now: () => number,
): Pick<BatchWatch, "rejected"> {
  return {
    async rejected(rejects, source) {
      try {
        await log.append(rejects.map((reject) => letterOf(reject, source, now())));
      } catch (error) {
        throw log.explain(error);
      }
    },
  };
}

function letterOf({ line, offset, bytes, truncated, reasons }: Reject, source: string, timeMs: number): LogRecord {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const record = buffer.toString("utf8");
  const isText = Buffer.from(record, "utf8").equals(buffer);
  const letter = {
    source,
    offset: jsonValue(offset),
    ...(line === undefined ? {} : { line }),
    reasons,
    ...(isText ? { record } : { recordBase64: buffer.toString("base64") }),
    ...(truncated ? { truncated } : {}),
  };
  return { id: `${source}@${offset}`, value: Buffer.from(JSON.stringify(letter)), timeMs };
}
