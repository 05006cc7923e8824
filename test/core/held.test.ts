import { expect, it } from "vitest";
import { type Held, heldBy, Holdings } from "../../src/core/held.ts";

const held = (...keys: string[]): Held<string>[] => keys.map((key) => ({ key, thing: key.charAt(0) }));

/** All that is told from now on. */
function told(holdings: Holdings<string>): string[] {
  const lists: string[] = [];
  for (let list = holdings.next(); list !== undefined; list = holdings.next()) lists.push(list.join(""));
  return lists;
}

it("tells the latest only, once, also that nothing is held", () => {
  const holdings = new Holdings<string>();
  expect(told(holdings)).toEqual([]);
  holdings.hold(held());
  expect(told(holdings)).toEqual([""]);
  holdings.hold(held("a1"));
  holdings.hold(held("a1", "b1"));
  expect(told(holdings)).toEqual(["ab"]);
  holdings.hold(held("a1", "b1"));
  expect(told(holdings)).toEqual([]);
});

it("leaves out once what was lost and came back, however fast, and nothing else", () => {
  const holdings = new Holdings<string>();
  holdings.hold(held("a1", "b1"));
  expect(told(holdings)).toEqual(["ab"]);
  holdings.hold(held("a1", "b2"));
  expect(told(holdings)).toEqual(["a", "ab"]);
  holdings.hold(held());
  holdings.hold(held("a2"));
  holdings.hold(held("a2", "c1"));
  expect(told(holdings)).toEqual(["", "ac"]);
  holdings.hold(held("a2"));
  expect(told(holdings)).toEqual(["a"]);
});

it("ends with the loop behind it, and with its error", async () => {
  const loop = async (hold: (some: readonly Held<string>[]) => void): Promise<void> => {
    hold(held("a1"));
    await Promise.resolve();
    throw new Error("no more");
  };
  const lists: (readonly string[])[] = [];
  const take = async (): Promise<void> => {
    for await (const list of heldBy(loop, new AbortController().signal)) lists.push(list);
  };
  await expect(take()).rejects.toThrow("no more");
  expect(lists).toEqual([["a"]]);
});
