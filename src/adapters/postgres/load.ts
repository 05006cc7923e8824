import { attempt, checkDeferred, copyRanges, faultyRow, type Loading, type Range, rangesWithout } from "./loading.ts";
import type { RowFault } from "./refusal.ts";
import { loadStaged } from "./stage.ts";

/** Rows that are copied between two savepoints once a batch has had a refusal. */
const segmentRows = 3000;
/** The same where a segment that fails has to go by the stage, which costs more than to copy it again. */
const smallSegmentRows = 1000;
/** Refusals of a segment that are stepped over one by one; with more, the server looks for them by itself. */
const stepsMax = 4;
/** Batches of merges by the stage, after which plain copying is tried again. */
const stagedMax = 16;

/**
 * What the last batches of a table were like. `whole`: a batch is one COPY. `segments`: rows are refused now and then,
 * so that a part is to be lost by it and not the batch. `staged`: many rows are merged into ones that are there.
 */
export interface Habit {
  way: "whole" | "segments" | "staged";
  /** Batches in a row that went by the stage. */
  staged: number;
  /** The last segment had more refusals than can be stepped over. */
  dense: boolean;
  /** The last fault sent its segment to the stage: no row was named, or rows are merged now and then. */
  small: boolean;
}

export const newHabit = (): Habit => ({ way: "whole", staged: 0, dense: false, small: false });

/**
 * Writes all rows but those that the database refuses; these end in `loading.refusals`, in order. The savepoint may be
 * left to be ended.
 */
export async function loadRows(loading: Loading, habit: Habit): Promise<void> {
  const all = { from: 0, to: loading.count };
  if (loading.table.insertOnly) await loadStaged(loading, all, true);
  else await loadByHabit(loading, habit, all);
  await retryReferences(loading);
  await loading.savepoint.settle();
  loading.refusals.sort((a, b) => a.row - b.row);
}

async function loadByHabit(loading: Loading, habit: Habit, all: Range): Promise<void> {
  if (habit.way === "staged" && loading.mergeKey !== undefined) return mergeAll(loading, habit, all);
  if (habit.way === "segments" && all.to > segmentRows) return loadSegments(loading, habit);
  const fault = await tryCopy(loading, [all]);
  if (fault === undefined) {
    habit.way = "whole";
    return undefined;
  }
  if (isMerge(loading, fault)) {
    // Where the first one is met tells how often that will be.
    const row = faultyRow(loading, fault, loading.table.name, [all]) ?? 0;
    if (all.to <= segmentRows || row < smallSegmentRows) return mergeAll(loading, habit, all);
    habit.small = true;
  }
  if (all.to <= segmentRows) return loadSegment(loading, habit, all, fault);
  return loadSegments(loading, habit);
}

function tryCopy(loading: Loading, ranges: readonly Range[]): Promise<RowFault | undefined> {
  return attempt(loading, async () => {
    await copyRanges(loading, loading.tableSql, loading.columns, ranges);
    await checkDeferred(loading);
  });
}

/** Whether the fault is that a row of the same key is there, which a merge is for. */
function isMerge(loading: Loading, fault: RowFault): boolean {
  if (loading.mergeKey === undefined || fault.state !== "23505") return false;
  return fault.constraint === undefined || !loading.otherUniques.has(fault.constraint);
}

async function mergeAll(loading: Loading, habit: Habit, all: Range): Promise<void> {
  await loadStaged(loading, all, true);
  habit.staged += 1;
  const again = loading.merged === 0 || habit.staged > stagedMax;
  if (again) habit.staged = 0;
  habit.way = again ? "whole" : "staged";
}

async function loadSegments(loading: Loading, habit: Habit): Promise<void> {
  let mergedRows = 0;
  for (let from = 0; from < loading.count; ) {
    const to = Math.min(from + (habit.small ? smallSegmentRows : segmentRows), loading.count);
    const before = loading.merged;
    await loadSegment(loading, habit, { from, to });
    if (loading.merged > before) mergedRows += to - from;
    from = to;
  }
  habit.way = loading.refusals.length === 0 && mergedRows === 0 ? "whole" : "segments";
  if (mergedRows > loading.count / 3) habit.way = "staged";
}

/**
 * Copies a segment; `known` is the fault when copying it has been tried. The row that a fault names is left out and the
 * others are copied again. When none is named, or after many, the rest goes by the stage.
 */
async function loadSegment(loading: Loading, habit: Habit, segment: Range, known?: RowFault): Promise<void> {
  const before = loading.refusals.length;
  const refused: number[] = [];
  let merge = false;
  for (let first = known; !habit.dense && refused.length <= stepsMax && !merge; first = undefined) {
    const parts = rangesWithout(segment, refused);
    const fault = first ?? (await tryCopy(loading, parts));
    if (fault === undefined) return;
    merge = isMerge(loading, fault);
    const row = merge ? undefined : faultyRow(loading, fault, loading.table.name, parts);
    habit.small = row === undefined;
    if (row === undefined) break;
    loading.refusals.push({ row, fault });
    refused.push(row);
    refused.sort((a, b) => a - b);
  }
  for (const part of rangesWithout(segment, refused)) await loadStaged(loading, part, merge);
  habit.dense = loading.refusals.length - before > stepsMax;
}

/**
 * In a table that refers to itself a row may have been refused only because the one that it refers to came later in
 * the batch. Those are tried again until no more of them get in.
 */
async function retryReferences(loading: Loading): Promise<void> {
  if (!loading.table.selfReference) return;
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const waiting = loading.refusals.filter(({ fault }) => fault.state === "23503").sort((a, b) => a.row - b.row);
    if (waiting.length === 0 || waiting.length >= before || loading.refusals.length === loading.count) return;
    before = waiting.length;
    const others = loading.refusals.filter(({ fault }) => fault.state !== "23503");
    loading.refusals.splice(0, loading.refusals.length, ...others);
    for (const { row } of waiting) {
      const range = { from: row, to: row + 1 };
      const fault = await tryCopy(loading, [range]);
      if (fault === undefined) continue;
      if (isMerge(loading, fault)) await loadStaged(loading, range, true);
      else loading.refusals.push({ row, fault });
    }
  }
}
