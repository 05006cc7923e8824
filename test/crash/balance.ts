import { expect } from "vitest";
import type { Checkpoint } from "../../src/core/checkpoint.ts";
import { addCounts, isBalanced, type LedgerEntry, noCounts } from "../../src/core/ledger.ts";
import type { StoredReject } from "../../src/core/reject.ts";
import { Engine } from "../../src/engine/engine.ts";
import { isDone, filePosition, partsOf } from "../../src/formats/position.ts";
import type { SinkRecords } from "../../src/ports/sink.ts";
import { adapterContext } from "../../src/runtime/context.ts";
import { openSink } from "../../src/runtime/schemes.ts";
import type { CrashPlace } from "./crash-place.ts";
import type { Synthetic, SyntheticReject } from "./synthetic.ts";

/** What a sink keeps besides rows. */
export interface Kept {
  readonly ledger: readonly LedgerEntry[];
  readonly rejects: readonly StoredReject[];
  readonly checkpoints: readonly Checkpoint[];
}

const all = Number.MAX_SAFE_INTEGER;

export async function readKept(url: string, pipeline = "crash"): Promise<Kept> {
  const engine = await Engine.open({ memoryBytes: 192 * 2 ** 20, threads: 1 });
  const sink = await openSink(
    url,
    {},
    adapterContext(engine, () => undefined),
  );
  try {
    await sink.open();
    const { records } = sink;
    const [ledger, checkpoints] = [await records.ledger({ pipeline, limit: all }), await records.checkpoints(pipeline)];
    return { ledger, checkpoints, rejects: await allRejects(records, pipeline) };
  } finally {
    await sink.close();
    await engine.close();
  }
}

async function allRejects(records: SinkRecords, pipeline: string): Promise<StoredReject[]> {
  const rejects: StoredReject[] = [];
  for (let after = -1n; ; after = rejects.at(-1)?.id ?? after) {
    const page = await records.rejects({ pipeline, after, limit: 1000 });
    rejects.push(...page);
    if (page.length < 1000) return rejects;
  }
}

/** Every record of the file exactly once where it belongs, and books that say the same. */
export async function expectExactlyOnce(place: CrashPlace, file: Synthetic): Promise<void> {
  const rows = await place.readRows();
  expect(
    differences(
      rows.map((row) => JSON.stringify(row)),
      file.good.map((row) => JSON.stringify(row)),
    ),
  ).toEqual(none);
  const kept = await readKept(place.url);
  expect(differences(kept.rejects.map(shownReject), file.bad.map(shownBad))).toEqual(none);
  expectLedger(kept.ledger, file);
  expectEnd(kept.checkpoints);
}

const none = { missing: [], surplus: [] };

/** Multisets compared: what is missing and what is there too often, the first few of each. */
function differences(found: readonly string[], expected: readonly string[]): { missing: string[]; surplus: string[] } {
  const counts = new Map<string, number>();
  for (const one of expected) counts.set(one, (counts.get(one) ?? 0) + 1);
  for (const one of found) counts.set(one, (counts.get(one) ?? 0) - 1);
  const uneven = [...counts].filter(([, count]) => count !== 0);
  const few = (side: (count: number) => boolean): string[] =>
    uneven
      .filter(([, count]) => side(count))
      .map(([one]) => one)
      .slice(0, 5);
  return { missing: few((count) => count > 0), surplus: few((count) => count < 0) };
}

function shownReject({ line, bytes, reasons, state, truncated }: StoredReject): string {
  const said = reasons.map(({ column, code }) => `${column ?? ""} ${code}`).toSorted();
  return JSON.stringify([line, Buffer.from(bytes).toString(), said, state, truncated]);
}

function shownBad({ line, bytes, reasons }: SyntheticReject): string {
  return JSON.stringify([line, bytes, reasons, "open", false]);
}

function expectLedger(ledger: readonly LedgerEntry[], file: Synthetic): void {
  expect(ledger.filter((entry) => !isBalanced(entry))).toEqual([]);
  const { read, loaded, merged, filtered, rejected } = ledger.reduce(addCounts, noCounts);
  const { records, good, bad } = file;
  expect({ read, written: loaded + merged, filtered, rejected }).toEqual({
    read: records,
    written: good.length,
    filtered: 0,
    rejected: bad.length,
  });
  expectGapless(ledger);
}

/** In each lane every batch starts where the one before it ended. */
function expectGapless(ledger: readonly LedgerEntry[]): void {
  for (const entries of Map.groupBy(ledger, (entry) => entry.lane).values()) {
    const stretches = entries.map(({ start, end }) => [Number(start["row"]), Number(end["row"])] as const);
    stretches.sort(([a], [b]) => a - b);
    const torn = stretches.filter(([start], index) => index > 0 && start !== stretches[index - 1]?.[1]);
    expect(torn).toEqual([]);
  }
}

function expectEnd(checkpoints: readonly Checkpoint[]): void {
  const positions = checkpoints.map((checkpoint) => filePosition(checkpoint.position));
  expect(positions.length).toBeGreaterThan(0);
  expect(positions.filter((position) => partsOf(position) === undefined && !isDone(position))).toEqual([]);
}
