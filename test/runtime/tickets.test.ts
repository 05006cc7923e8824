import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fileStore, localDrop } from "../../src/adapters/file/index.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { Store } from "../../src/ports/store.ts";
import { Tickets } from "../../src/runtime/tickets.ts";

let parent: string;
let folder: string;
const stores: Store[] = [];
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "millrace-tickets-"));
  folder = join(parent, "IN");
  mkdirSync(folder);
});
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  rmSync(parent, { recursive: true });
});

/** As one of many processes has them. */
async function worker(onPause: () => void = () => undefined): Promise<Tickets> {
  const context = {
    engine: { connect: () => Promise.reject(new Error("no engine here")), uniqueName: (name: string) => name },
    now: () => Date.now(),
    pause: async (ms: number) => {
      onPause();
      await new Promise((resolve) => setTimeout(resolve, Math.min(ms, 10)));
    },
    notice: () => undefined,
  };
  const store = fileStore(parsePlace(`file:${join(parent, "store.db")}`), context);
  stores.push(store);
  await store.open();
  const drop = localDrop(parsePlace(`file:${folder}`), context);
  return new Tickets({ drop, store, context, stableMs: 5 }, async () => undefined);
}

function announce(name: string, status = "READY"): void {
  writeFileSync(join(folder, `${name}.csv`), "n\n1\n");
  writeFileSync(join(folder, `${name}.ticket`), JSON.stringify({ file_name: `${name}.csv`, status }));
}

const statusOf = (name: string): unknown =>
  (JSON.parse(readFileSync(join(folder, `${name}.ticket`), "utf8")) as { readonly status: string }).status;

it("a ticket is worked on by one of many workers, whatever the number of them", async () => {
  announce("a");
  announce("b");
  const workers = await Promise.all([worker(), worker(), worker(), worker()]);
  const worked: string[] = [];
  let atOnce = 0;
  const work = (tickets: Tickets, name: string): Promise<unknown> =>
    tickets.work(name, ["READY"], true, async (turn) => {
      atOnce += name === "a" ? 1 : 0;
      expect(atOnce).toBeLessThan(2);
      await turn.wholeFile();
      worked.push(name);
      await turn.change("REGISTERED");
      atOnce -= name === "a" ? 1 : 0;
    });
  await Promise.all(workers.flatMap((tickets) => [work(tickets, "a"), work(tickets, "b")]));
  expect(worked.toSorted()).toEqual(["a", "b"]);
  expect([statusOf("a"), statusOf("b")]).toEqual(["REGISTERED", "REGISTERED"]);
});

it("a file that grows is left alone, and its ticket is written only when it changes", async () => {
  announce("a");
  const before = readFileSync(join(folder, "a.ticket"), "utf8");
  let isGrowing = true;
  const tickets = await worker(() => {
    if (isGrowing) appendFileSync(join(folder, "a.csv"), "2\n");
  });
  const whole = (): Promise<boolean | undefined> =>
    tickets.work("a", ["READY"], true, async (turn) => {
      const file = await turn.wholeFile();
      await turn.change("READY");
      return file !== undefined;
    });
  expect(await whole()).toBe(false);
  isGrowing = false;
  expect(await whole()).toBe(true);
  expect(readFileSync(join(folder, "a.ticket"), "utf8")).toBe(before);
  expect(await tickets.work("gone", ["READY"], true, async () => true)).toBe(undefined);
});
