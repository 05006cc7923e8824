import { expect, test } from "vitest";
import { limit } from "../../src/core/limit.ts";
import type { RunEvent } from "../../src/runtime/events.ts";
import { type Patience, patiently } from "../../src/runtime/patience.ts";

function patience(more: Partial<Patience> = {}): Patience & { readonly told: RunEvent[]; pass(ms: number): void } {
  const told: RunEvent[] = [];
  let nowMs = 0;
  return {
    told,
    pass: (ms) => {
      nowMs += ms;
    },
    sink: { classify: () => "wait", explain: (error) => error as Error },
    context: {
      now: () => nowMs,
      pause: async (ms, signal) => {
        signal?.throwIfAborted();
        nowMs += ms;
      },
    },
    onEvent: (event) => void told.push(event),
    totalMs: limit.retryTotalMs,
    signal: new AbortController().signal,
    ...more,
  };
}

test("patience counts from the first failure, however long the work took before it", async () => {
  const given = patience();
  const answer = await patiently(given, async (attempt) => {
    given.pass(2 * limit.retryTotalMs);
    if (attempt === 1) throw new Error("a deadlock");
    return attempt;
  });
  expect(answer).toBe(2);
  expect(given.told).toHaveLength(1);
});

test("gives up with the sink's own error when it lasts too long", async () => {
  const given = patience();
  await expect(patiently(given, () => Promise.reject(new Error("down")))).rejects.toThrow("down");
  expect(given.context.now()).toBeGreaterThan(limit.retryTotalMs);
});

test("what stops a wait is told as an interruption, not as a fault", async () => {
  const stop = new AbortController();
  const given = patience({ signal: stop.signal, onEvent: () => stop.abort() });
  await expect(patiently(given, () => Promise.reject(new Error("down")))).rejects.toMatchObject({
    code: "INTERRUPTED",
  });
});
