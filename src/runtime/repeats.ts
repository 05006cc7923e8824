import type { CheckedBatch } from "../engine/batch.ts";
import type { RepeatedMessages } from "../ports/sink.ts";
import type { RawBatch } from "../ports/source.ts";

/** A batch that is checked, and can be once more. */
export interface Checked {
  readonly raw: RawBatch;
  readonly checked: CheckedBatch;
  /** Checks what is left of it, once the sink knows some of its records already. */
  readonly check: (raw: RawBatch) => Promise<CheckedBatch>;
}

/**
 * The batch without the records that the sink says are repeats: checked anew, with the same number and positions. What it
 * was is released. Throws `said` when that names none of its records, as it would for ever.
 */
export async function withoutRepeats<Batch extends Checked>(batch: Batch, said: RepeatedMessages): Promise<Batch> {
  const { raw } = batch;
  const known = new Set(raw.repeats);
  const repeats = repeatsIn(raw, known, said);
  if (repeats.size === known.size || raw.without === undefined) throw said;
  await batch.checked.release();
  const rest = await raw.without(repeats);
  return { ...batch, raw: rest, checked: await batch.check(rest) };
}

function repeatsIn({ messageIds = [] }: RawBatch, known: ReadonlySet<number>, said: RepeatedMessages): Set<number> {
  const named = new Set(said.ids);
  const seen = new Set<string>();
  const repeats = new Set(known);
  for (const [record, id] of messageIds.entries()) {
    if (id === undefined || known.has(record) || !named.has(id)) continue;
    if (said.where === "sink" || seen.has(id)) repeats.add(record);
    seen.add(id);
  }
  return repeats;
}

/** Ids of the records that are not left out, as a sink takes them. */
export function idsOf({ messageIds, repeats }: RawBatch): readonly string[] | undefined {
  if (messageIds === undefined) return undefined;
  const left = new Set(repeats);
  return messageIds.filter((id, record): id is string => id !== undefined && !left.has(record));
}
