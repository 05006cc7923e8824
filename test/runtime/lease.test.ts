import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileStore } from "../../src/adapters/file/index.ts";
import { limit } from "../../src/core/limit.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { Store } from "../../src/ports/store.ts";
import { Lease, type LeaseParts } from "../../src/runtime/lease.ts";

describe("a lease", () => {
  let folder: string;
  let store: Store;
  let aheadMs = 0;
  beforeEach(async () => {
    aheadMs = 0;
    folder = mkdtempSync(join(tmpdir(), "millrace-lease-"));
    const engine = { connect: () => Promise.reject(new Error("no engine here")), uniqueName: (name: string) => name };
    store = fileStore(parsePlace(`file:${join(folder, "store.db")}`), {
      ...parts().context,
      engine,
      notice: () => undefined,
    });
    await store.open();
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  /** One holder's view: its pauses give others their turn, and can be made to take long. */
  const parts = (pauseMs = 0): LeaseParts => ({
    store,
    context: {
      now: () => Date.now() + aheadMs,
      pause: async () => {
        aheadMs += pauseMs;
        await new Promise((resolve) => setImmediate(resolve));
      },
    },
  });

  it("is held by one of many at a time", async () => {
    let holders = 0;
    let most = 0;
    const one = async (): Promise<void> => {
      const lease = await Lease.take("k", parts());
      holders += 1;
      most = Math.max(most, holders);
      await lease?.note({ step: "work" });
      holders -= 1;
      await lease?.note(undefined);
      await lease?.release();
    };
    await Promise.all(Array.from({ length: 6 }, one));
    expect({ holders, most }).toEqual({ holders: 0, most: 1 });
  });

  it("of a holder that is not heard of is another's, with what it had noted; the first one learns of it", async () => {
    const first = await Lease.take("k", parts());
    await first?.note({ step: "write", id: "7" });
    // As if it stood still: time passes, and no beat comes.
    const second = await Lease.take("k", parts(limit.leaseMs), { waits: false });
    expect(second?.left).toEqual({ step: "write", id: "7" });
    expect(() => first?.require()).toThrow(expect.objectContaining({ code: "FENCED" }));
    await expect(first?.note({ step: "more" })).rejects.toMatchObject({ code: "FENCED" });
    await second?.note(undefined);
    await first?.release();
    second?.require();
    await second?.release();
    const third = await Lease.take("k", parts());
    expect(third?.left).toBe(undefined);
    await third?.release();
  });

  it("is left to a holder that is heard of where nobody wants to wait", async () => {
    const first = await Lease.take("k", parts());
    const asked = Lease.take("k", parts(), { waits: false });
    await first?.note({ step: "on it" });
    expect(await asked).toBe(undefined);
    await first?.release();
  });
});
