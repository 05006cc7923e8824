import { expect, test } from "vitest";
import { limit } from "../../src/core/limit.ts";
import { budgetOf } from "../../src/runtime/resources.ts";
import { Slots } from "../../src/runtime/slots.ts";

const MiB = 2 ** 20;

test.each([
  [256, 1],
  [256, 30],
  [512, 2],
  [512, 64],
  [4096, 64],
])("%d MB hold no more lanes than fit, of %d wanted", (budgetMb, wanted) => {
  const { lanes, batchBytes, engineBytes } = budgetOf(budgetMb * MiB, wanted);
  expect(lanes).toBeGreaterThanOrEqual(1);
  expect(lanes).toBeLessThanOrEqual(wanted);
  expect(batchBytes).toBeGreaterThanOrEqual(limit.batchBytesMin);
  // Twelve times a batch is what a lane was measured to hold.
  expect(lanes * batchBytes * 12 + engineBytes).toBeLessThanOrEqual(budgetMb * MiB);
});

test("slots let so many work at once, the others in the order of asking, also behind one that fails", async () => {
  const slots = new Slots(2);
  const ended: number[] = [];
  let working = 0;
  let most = 0;
  const work = (number: number) => async (): Promise<void> => {
    working += 1;
    most = Math.max(most, working);
    await new Promise((resolve) => setImmediate(resolve));
    working -= 1;
    ended.push(number);
    if (number === 1) throw new Error("one fails");
  };
  const all = await Promise.allSettled([0, 1, 2, 3, 4].map((number) => slots.hold(work(number))));
  expect(all.map(({ status }) => status === "fulfilled")).toEqual([true, false, true, true, true]);
  expect({ most, ended }).toEqual({ most: 2, ended: [0, 1, 2, 3, 4] });
  expect(() => new Slots(0)).toThrow(RangeError);
});
