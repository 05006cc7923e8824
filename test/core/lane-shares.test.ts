import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type LaneShares, laneOfKey, readTerms, shareLanes, shareTerms } from "../../src/core/lane-shares.ts";

const lanesOf = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));
const counts = (shares: LaneShares): number[] => Object.values(shares).map((lanes) => lanes.length);

/** How many lanes have another reader than before. */
function moved(before: LaneShares, after: LaneShares): number {
  const reader = (shares: LaneShares, lane: string) => Object.keys(shares).find((one) => shares[one]?.includes(lane));
  return Object.values(after)
    .flat()
    .filter((lane) => reader(before, lane) !== reader(after, lane)).length;
}

describe("sharing lanes", () => {
  it("gives a first member everything, and a second one half, of which nothing else moves", () => {
    const alone = shareLanes({}, ["a"], lanesOf(8));
    expect(alone).toEqual({ a: lanesOf(8) });
    const two = shareLanes(alone, ["b", "a"], lanesOf(8));
    expect(two).toEqual({ a: ["0", "1", "2", "3"], b: ["4", "5", "6", "7"] });
    expect(shareLanes(two, ["a", "b"], lanesOf(8))).toBe(two);
  });

  it("gives the lanes of those who left to the others, who keep theirs", () => {
    const three = { a: ["0", "1", "2"], b: ["3", "4", "5"], c: ["6", "7"] };
    expect(shareLanes(three, ["a", "c"], lanesOf(8))).toEqual({ a: ["0", "1", "2", "3"], c: ["4", "5", "6", "7"] });
    expect(shareLanes(three, [], lanesOf(8))).toEqual({});
  });

  it("knows new lanes, and forgets those that are gone", () => {
    expect(shareLanes({ a: ["0", "9"], b: ["1"] }, ["a", "b"], ["0", "1", "2"])).toEqual({ a: ["0", "2"], b: ["1"] });
  });

  it("leaves those without a lane in the group when there are more members than lanes", () => {
    expect(shareLanes({}, ["a", "b", "c"], ["0", "1"])).toEqual({ a: ["0"], b: ["1"], c: [] });
  });

  it("mends shares that nobody could have made", () => {
    const odd: LaneShares = { a: ["0", "0", "1"], b: ["1", "0"] };
    expect(shareLanes(odd, ["a", "b"], ["0", "1"])).toEqual({ a: ["0"], b: ["1"] });
    expect(shareLanes({}, ["a", "a"], ["0", "0"])).toEqual({ a: ["0"] });
    expect(shareLanes({}, ["constructor"], ["0"])).toEqual({ constructor: ["0"] });
  });

  it("is complete, even, the same for all, settled at once, and moves no lane without need", () => {
    const names = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"), { minLength: 1 });
    fc.assert(
      fc.property(names, names, fc.nat(20), fc.nat(20), (some, others, lanes, more) => {
        const before = shareLanes({}, some, lanesOf(lanes));
        const after = shareLanes(before, others, lanesOf(more));
        expect(Object.values(after).flat().sort()).toEqual(lanesOf(more).sort());
        expect(Math.max(...counts(after)) - Math.min(...counts(after))).toBeLessThanOrEqual(1);
        expect(shareLanes(before, [...others].reverse(), lanesOf(more))).toEqual(after);
        expect(shareLanes(after, others, lanesOf(more))).toBe(after);
        const [least, most] = [Math.floor(more / others.length), Math.ceil(more / others.length)];
        const stay = others.map((member) => (before[member] ?? []).filter((lane) => Number(lane) < more).length);
        const sizes = stay
          .sort((a, b) => b - a)
          .map((count, at) => Math.min(count, at < more % others.length ? most : least));
        expect(moved(before, after)).toBe(more - sizes.reduce((sum, count) => sum + count, 0));
      }),
    );
  });
});

describe("the lane of a key", () => {
  const keys = Array.from({ length: 8_000 }, (_, index) => new TextEncoder().encode(`vehicle-${index}`));

  it("never changes", () => {
    const lanes = ["", "a", "vehicle-1", "GD9KE1GANAGOCJ64E"].map((key) => laneOfKey(new TextEncoder().encode(key), 8));
    expect(lanes).toEqual([3, 3, 1, 0]);
    expect(laneOfKey(Uint8Array.of(0, 255), 1)).toBe(0);
  });

  it.each([2, 3, 8, 64])("spreads keys evenly over %i lanes", (lanes) => {
    const sizes = Array.from({ length: lanes }, () => 0);
    for (const key of keys) sizes[laneOfKey(key, lanes)] = (sizes[laneOfKey(key, lanes)] ?? 0) + 1;
    const fair = keys.length / lanes;
    expect(Math.max(...sizes)).toBeLessThan(fair + 5 * Math.sqrt(fair));
    expect(Math.min(...sizes)).toBeGreaterThan(fair - 5 * Math.sqrt(fair));
  });
});

describe("terms of lanes", () => {
  it("go on for whoever keeps a lane, and begin anew for whoever gets one", () => {
    const alone = shareTerms({}, ["a"], lanesOf(2), "t1");
    expect(alone).toEqual({ a: { 0: "t1", 1: "t1" } });
    expect(shareTerms(alone, ["a"], lanesOf(2), "t2")).toBe(alone);
    const two = shareTerms(readTerms(JSON.stringify(alone)), ["a", "b"], lanesOf(2), "t2");
    expect(two).toEqual({ a: { 0: "t1" }, b: { 1: "t2" } });
    expect(shareTerms(two, ["a"], lanesOf(2), "t3")).toEqual({ a: { 0: "t1", 1: "t3" } });
  });

  it("are read as nothing where something else was written", () => {
    expect([undefined, "", "3", "null", '{"a":1}'].map(readTerms)).toEqual([{}, {}, {}, {}, {}]);
  });
});
