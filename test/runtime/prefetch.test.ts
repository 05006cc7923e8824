import { describe, expect, it } from "vitest";
import { limit } from "../../src/core/limit.ts";
import { Prefetch } from "../../src/runtime/prefetch.ts";

const bounds = { rows: 20_000, bytes: 2 ** 21 };
const of = (bytes: number, records: number) => ({ bytes, records });

/** What is asked for after so many messages of a size. */
function after(prefetch: Prefetch, times: number, sizes: { bytes: number; records: number }, attempts = 0): number {
  for (let time = 0; time < times; time += 1) {
    prefetch.note(sizes, attempts);
    prefetch.change();
  }
  return prefetch.count;
}

describe("how many messages a lane of a queue holds", () => {
  it("is one at first, and grows by degrees to two batches, or what is allowed", () => {
    const prefetch = new Prefetch(bounds, 1_000);
    expect(prefetch.count).toBe(1);
    expect(after(prefetch, 1, of(200, 1))).toBe(16);
    expect(after(prefetch, 1, of(200, 1))).toBe(256);
    expect(after(prefetch, 5, of(200, 1))).toBe(1_000);
  });

  it("is as much as the records of two batches, where messages hold many", () => {
    expect(after(new Prefetch(bounds, 1_000), 10, of(30_000, 500))).toBe(80);
  });

  it("is less for large messages, and at least two, so that one is prepared while another commits", () => {
    const prefetch = new Prefetch(bounds, 1_000);
    after(prefetch, 10, of(200, 1));
    expect(after(prefetch, 200, of(2 ** 20, 1))).toBeLessThanOrEqual(8);
    expect(after(prefetch, 200, of(2 ** 26, 1))).toBe(2);
  });

  it("is one while messages come that have come back often", () => {
    const prefetch = new Prefetch(bounds, 1_000);
    after(prefetch, 10, of(200, 1));
    expect(after(prefetch, 1, of(200, 1), limit.queueCarefulAttempts)).toBe(1);
    expect(after(prefetch, 1, of(200, 1), limit.queueCarefulAttempts - 1)).toBe(16);
  });
});
