import type { DecodedMessages, Message, MessageBounds, MessageFormat } from "../ports/messages.ts";
import { parseMessageId } from "./message-id.ts";

/** By record the id that a stage gave it; undefined for one that others appended. */
export function messageIdsOf(records: readonly { readonly id?: string }[]): readonly (string | undefined)[] {
  return records.map(({ id }) => (parseMessageId(id) === undefined ? undefined : id));
}

/** Records whose id a record before them has. */
export function twinsIn(ids: readonly (string | undefined)[]): Set<number> {
  const seen = new Set<string>();
  const twins = new Set<number>();
  for (const [record, id] of ids.entries()) {
    if (id === undefined) continue;
    if (seen.has(id)) twins.add(record);
    seen.add(id);
  }
  return twins;
}

/** Decodes messages but for those that repeat others; numbers of records are those within all of `messages`. */
export async function decodeWithout(
  format: MessageFormat,
  messages: readonly Message[],
  repeats: ReadonlySet<number>,
  { bounds, signal }: { readonly bounds: MessageBounds; readonly signal: AbortSignal },
): Promise<DecodedMessages> {
  if (repeats.size === 0) return format.decode(messages, bounds, signal);
  const numbers = [...messages.keys()].filter((number) => !repeats.has(number));
  const numberOf = (record: number): number => numbers[record] ?? messages.length;
  const batch = await format.decode(
    messages.filter((_, number) => !repeats.has(number)),
    bounds,
    signal,
  );
  const read = numberOf(batch.read);
  return {
    ...batch,
    read,
    malformed: batch.malformed.map((reject) => ({ ...reject, record: numberOf(reject.record) })),
    recordOf: (index) => numberOf(batch.recordOf(index)),
    repeats: [...repeats].filter((number) => number < read).toSorted((a, b) => a - b),
  };
}
