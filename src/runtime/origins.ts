import { isJsonObject, type JsonObject } from "../core/json.ts";
import { type MessageId, parseMessageId } from "./message-id.ts";

/** Field of a batch's start position: which record of the stage before each of its records is. For `why` alone. */
export const originsField = "origins";

/**
 * Packs the ids of a batch's messages: marks, and for each record the distance of its row from that of the record of the
 * same mark before it, in base 36; `2:` before it where the mark changes to that number, `-` alone for a message without
 * an id. A few bytes a record, as what lies together was sent together. Undefined where no message has one.
 */
export function packOrigins(ids: readonly (string | undefined)[]): JsonObject | undefined {
  const marks = new Map<string, { readonly number: number; row: number }>();
  let current: string | undefined;
  const rows = ids.map((text) => {
    const id = parseMessageId(text);
    if (id === undefined) return "-";
    const mark = marks.get(id.mark) ?? { number: marks.size, row: 0 };
    marks.set(id.mark, mark);
    const step = (id.row - mark.row).toString(36);
    mark.row = id.row;
    const change = id.mark === current ? "" : `${mark.number}:`;
    current = id.mark;
    return change + step;
  });
  return marks.size === 0 ? undefined : { marks: [...marks.keys()], rows: rows.join(" ") };
}

/** The ids of a batch's messages by record, from its start position; none where they were not kept. */
export function originsOf(start: JsonObject): readonly (MessageId | undefined)[] {
  const packed = start[originsField];
  if (packed === undefined || !isJsonObject(packed)) return [];
  const { marks, rows } = packed as Readonly<Record<string, unknown>>;
  if (!Array.isArray(marks) || typeof rows !== "string") return [];
  const last = new Map<number, number>();
  let number = 0;
  return rows.split(" ").map((text) => {
    if (text === "-") return undefined;
    const at = text.indexOf(":");
    if (at >= 0) number = Number(text.slice(0, at));
    const row = (last.get(number) ?? 0) + Number.parseInt(text.slice(at + 1), 36);
    last.set(number, row);
    return { mark: String(marks[number]), row };
  });
}
