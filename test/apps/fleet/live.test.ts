import { expect, it } from "vitest";
import { Live } from "../../../apps/fleet/live.ts";
import type { CommittedBatch, LogLane } from "../../../src/index.ts";

/** A second of one process: the lanes of its stream are what they are said to be. */
function liveOver(lanes: LogLane[]): {
  live: Live;
  commit: (lane: string, row: number, offset: bigint) => Promise<void>;
} {
  const live = new Live({ lanes: async () => lanes }, () => 0);
  const commit = (lane: string, row: number, offset: bigint): Promise<void> => {
    const rows = { count: 0, async *objects() {} };
    const raw = { end: { row, offset: String(offset) } };
    const counts = { read: row, loaded: row, merged: 0, filtered: 0, rejected: 0 };
    return live.committed({ source: `events/${lane}`, counts, raw, rows } as unknown as CommittedBatch);
  };
  return { live, commit };
}

const lane = (name: string, start: bigint, end: bigint, appended?: bigint): LogLane => {
  return { name, incarnation: "one", start, end, ...(appended === undefined ? {} : { appended }) };
};

it("has the lag of lanes without gaps from their offsets", async () => {
  const { live, commit } = liveOver([lane("0", 10n, 30n), lane("1", 5n, 5n)]);
  expect((await live.take()).lag).toEqual({ 0: 20, 1: 0 });
  await commit("0", 15, 25n);
  expect((await live.take()).lag).toEqual({ 0: 5, 1: 0 });
});

it("has the lag of lanes with gaps in records, and not in offsets", async () => {
  const lanes = [lane("0", 1n, 2n ** 61n, 100n)];
  const { live, commit } = liveOver(lanes);
  expect((await live.take()).lag).toEqual({ 0: 100 });
  await commit("0", 60, 2n ** 60n);
  expect((await live.take()).lag).toEqual({ 0: 40 });
  // Ten were removed before this pipeline began, which shows at the end.
  await commit("0", 90, 2n ** 61n);
  expect((await live.take()).lag).toEqual({ 0: 0 });
  lanes[0] = lane("0", 1n, 2n ** 61n + 7n, 107n);
  expect((await live.take()).lag).toEqual({ 0: 7 });
});
