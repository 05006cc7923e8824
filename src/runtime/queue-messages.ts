import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { limit } from "../core/limit.ts";
import type { LogRecord } from "../ports/log.ts";
import type { QueueMessage } from "../ports/queue.ts";
import { laneMark, messageIdText, parseMessageId } from "./message-id.ts";
import { originsOf, packOrigins } from "./origins.ts";

const lineEnd = 0x0a;
/** Room that the ids of a message's records may take among its headers. */
const idCharsMax = 8_192;

/**
 * Records as messages: consecutive ones travel together, a line each, as every message costs the broker and its disk as
 * much as hundreds of small records. A record that cannot be a line, or whose id no stage gave, travels alone.
 */
export function* packRecords(
  records: readonly LogRecord[],
  { recordsMax }: { readonly recordsMax: number },
): Generator<QueueMessage> {
  let group: LogRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const fits = group.length < recordsMax && bytes + record.value.length < limit.queueMessageBytes;
    const isLine = canBeLine(record);
    if (group.length > 0 && (!fits || !isLine)) {
      yield* messagesOf(group);
      group = [];
      bytes = 0;
    }
    if (isLine) {
      group.push(record);
      bytes += record.value.length + 1;
    } else {
      yield alone(record);
    }
  }
  yield* messagesOf(group);
}

function canBeLine({ id, value }: LogRecord): boolean {
  return parseMessageId(id) !== undefined && !value.includes(lineEnd);
}

function* messagesOf(group: readonly LogRecord[]): Generator<QueueMessage> {
  const [first] = group;
  if (first === undefined) return;
  if (group.length === 1) {
    yield alone(first);
    return;
  }
  const records = JSON.stringify(packOrigins(group.map(({ id }) => id)));
  if (records.length > idCharsMax) {
    yield* messagesOf(group.slice(0, group.length / 2));
    yield* messagesOf(group.slice(group.length / 2));
    return;
  }
  const lines = group.flatMap(({ value }, index) => (index === 0 ? [value] : [newLine, value]));
  const id = `${first.id}+${group.length}`;
  yield { id, records, body: Buffer.concat(lines), timeMs: first.timeMs };
}

const newLine = Buffer.of(lineEnd);

function alone({ id, value, timeMs }: LogRecord): QueueMessage {
  return { ...(id === undefined ? {} : { id }), body: value, timeMs };
}

/** A record as it came in a message; the same id for the same record, however often and in which message it comes. */
export interface ReceivedRecord {
  readonly value: Uint8Array;
  readonly id: string | undefined;
}

/** The records of a message of the queue of this name. One of others is one record, by the id that they gave it. */
export function unpackRecords({ id, body, records }: QueueMessage, queue: string): readonly ReceivedRecord[] {
  const ids = records === undefined ? [] : idsIn(records);
  const lines = ids.length === 0 ? [] : linesOf(body);
  if (lines.length > 0 && lines.length === ids.length) {
    return lines.map((value, index) => ({ value, id: ids[index] }));
  }
  return [{ value: body, id: parseMessageId(id) === undefined ? foreignId(id, queue) : id }];
}

/** Ids of others are unique in a queue, and not beyond it. */
function foreignId(id: string | undefined, queue: string): string | undefined {
  return id === undefined ? undefined : `q:${laneMark("queue", queue)}:${id}`;
}

function idsIn(records: string): readonly (string | undefined)[] {
  const origins = parsed(records);
  return origins === undefined
    ? []
    : originsOf({ origins }).map((id) => (id === undefined ? undefined : messageIdText(id)));
}

function parsed(text: string): JsonObject | undefined {
  try {
    const json = JSON.parse(text) as Json;
    return isJsonObject(json) ? json : undefined;
  } catch {
    return undefined; // a header of somebody else: the message is one record then
  }
}

function linesOf(body: Uint8Array): readonly Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = body.indexOf(lineEnd); end >= 0; end = body.indexOf(lineEnd, start)) {
    lines.push(body.subarray(start, end));
    start = end + 1;
  }
  lines.push(body.subarray(start));
  return lines;
}
