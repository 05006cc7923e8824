import { expect } from "vitest";
import type { KeptRecord, Log } from "../../../src/ports/log.ts";
import type { Event } from "../../crash/processes.ts";
import { readLane, textOf } from "./scene.ts";

/** What lives of appenders have said to be in the log: by key, how many records at least. */
export type Promised = Map<string, number>;

export function note(promised: Promised, life: string, events: readonly Event[]): void {
  for (const { event, caller, count } of events) {
    if (event !== "acked") continue;
    const key = `${life}/${String(caller)}`;
    promised.set(key, Math.max(promised.get(key) ?? 0, Number(count)));
  }
}

/**
 * Every record of an append that has resolved is there, once, in one lane and in order; of another one, of `records`
 * records, all or none.
 */
export async function expectKept(log: Log, promised: ReadonlyMap<string, number>, records = 1): Promise<void> {
  const numbers = new Map<string, number[]>();
  const lanesOf = new Map<string, Set<string>>();
  for (const lane of await log.lanes()) {
    const kept = await readLane(log, lane);
    expectConsecutive(kept, lane.start);
    for (const record of kept) {
      const key = Buffer.from(record.key ?? []).toString();
      const number = Number(record.id?.split("/").at(-1));
      expect(textOf(record).split(" ")[0] === record.id && record.timeMs === number).toBe(true);
      const found = numbers.get(key) ?? [];
      found.push(number);
      numbers.set(key, found);
      lanesOf.set(key, (lanesOf.get(key) ?? new Set()).add(lane.name));
    }
  }
  for (const [key, count] of promised) expect([key, (numbers.get(key)?.length ?? 0) >= count]).toEqual([key, true]);
  for (const [key, found] of numbers) {
    const isWhole = found.length % records === 0 && found.every((number, index) => number === index);
    expect([key, lanesOf.get(key)?.size, isWhole]).toEqual([key, 1, true]);
  }
}

function expectConsecutive(records: readonly KeptRecord[], start: bigint): void {
  const broken = records.findIndex(({ offset }, index) => offset !== start + BigInt(index));
  expect(broken).toBe(-1);
}
