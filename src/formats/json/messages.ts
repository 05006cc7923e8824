import { isUtf8 } from "node:buffer";
import type { DecodedMessages, Message, MessageBounds, MessageFormat } from "../../ports/messages.ts";
import type { RecordAt } from "../../ports/source.ts";
import { byteOf } from "../csv/dialect.ts";
import { batchOfRecords } from "../replay.ts";

/** JSON values, an object each. */
export function jsonMessages({ ignoreExtra }: { readonly ignoreExtra: boolean }): MessageFormat {
  return { decode: async (messages, bounds) => messageBatch(messages, ignoreExtra, bounds) };
}

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
  const lines = asLines(messages, ignoreExtra, bounds);
  const batch = lines ?? batchOfRecords(format, messages.map(recordAt), bounds);
  return { ...batch, read: messages.length, format };
}

function recordAt({ offset, value }: Message): RecordAt {
  return { line: undefined, offset, bytes: value };
}

/** Nearly all batches are lines of text, whole; undefined where one of the messages needs a look of its own. */
function asLines(
  messages: readonly Message[],
  ignoreExtra: boolean,
  { recordBytes }: MessageBounds,
): Omit<DecodedMessages, "format"> | undefined {
  let sizeBytes = 0;
  for (const { value } of messages) {
    const { length } = value;
    if (length === 0 || length > recordBytes) return undefined;
    sizeBytes += length;
  }
  const text = Buffer.allocUnsafeSlow(sizeBytes + messages.length);
  let at = 0;
  for (const { value } of messages) {
    text.set(value, at);
    at += value.length;
    text[at] = byteOf.lf;
    at += 1;
  }
  if (text.includes(byteOf.nul) || text.includes(byteOf.cr) || !isUtf8(text)) return undefined;
  if (countLines(text) !== messages.length) return undefined;
  return {
    read: messages.length,
    sizeBytes,
    records: ignoreExtra ? { kind: "json", text, ignoreExtra } : { kind: "json", text },
    count: messages.length,
    malformed: [],
    recordOf: (index) => index,
    at: (index) => recordAt(messages[index] as Message),
  };
}

function countLines(text: Buffer): number {
  let count = 0;
  for (let at = text.indexOf(byteOf.lf); at >= 0; at = text.indexOf(byteOf.lf, at + 1)) count += 1;
  return count;
}
