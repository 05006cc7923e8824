import type { Reject } from "../../core/reject.ts";
import type { DecodedMessages, Message, MessageBounds, MessageFormat } from "../../ports/messages.ts";
import type { RecordAt } from "../../ports/source.ts";
import { byteOf } from "../csv/dialect.ts";
import { batchOfRecords } from "../replay.ts";
import { frameLines } from "./lines.ts";

/** JSON values, an object each. */
export function jsonMessages({ ignoreExtra }: { readonly ignoreExtra: boolean }): MessageFormat {
  return { decode: async (messages, bounds) => messageBatch(messages, ignoreExtra, bounds) };
}

const newline = Buffer.from("\n");

/**
 * Messages as a batch: record `n` is `messages[n]`. One that is no JSON object in UTF-8, is empty or too large is
 * malformed, alone.
 */
export function messageBatch(
  messages: readonly Message[],
  ignoreExtra: boolean,
  bounds: MessageBounds,
): DecodedMessages {
  const format = ignoreExtra ? { format: "json", ignoreExtra } : { format: "json" };
  const framed = messages.some(needsLook) ? undefined : frameAsLines(messages, ignoreExtra, bounds);
  const records = (): RecordAt[] => messages.map((message) => recordAt(message));
  const batch = framed ?? batchOfRecords(format, records(), bounds);
  return { ...batch, read: messages.length, format };
}

function recordAt({ offset, value }: Message): RecordAt {
  return { line: undefined, offset, bytes: value };
}

/** Nearly all messages are one line of text; for the others a look at each of them is needed. */
function needsLook({ value }: Message): boolean {
  return value.length === 0 || value.includes(byteOf.lf) || value.includes(byteOf.cr) || value.includes(byteOf.nul);
}

function frameAsLines(
  messages: readonly Message[],
  ignoreExtra: boolean,
  bounds: MessageBounds,
): Omit<DecodedMessages, "format"> | undefined {
  const text = Buffer.concat(messages.flatMap(({ value }) => [value, newline]));
  const framed = frameLines(ignoreExtra, bounds)(text, true, { byte: 0, line: 1 });
  if (framed === undefined || framed.read !== messages.length) return undefined;
  const at = (record: number): RecordAt => recordAt(messages[record] as Message);
  return {
    read: framed.read,
    sizeBytes: text.length - messages.length,
    records: framed.records,
    count: framed.count,
    malformed: framed.malformed.map((reject): Reject => ({ ...reject, ...placeOf(at(reject.record)) })),
    recordOf: (index) => framed.recordOf(index),
    at: (index) => at(framed.recordOf(index)),
  };
}

function placeOf({ line, offset }: RecordAt): Pick<Reject, "line" | "offset"> {
  return { line, offset };
}
