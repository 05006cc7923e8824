import { expect, test } from "vitest";
import { limit } from "../../src/core/limit.ts";
import type { Pipeline } from "../../src/core/pipeline.ts";
import type { Sink } from "../../src/ports/sink.ts";
import { connectFirst } from "../../src/runtime/first-connection.ts";
import type { Session } from "../../src/runtime/session.ts";

const waiting = { onEvent: () => undefined, signal: new AbortController().signal };

/** A session whose only sink is away, and its clock. */
function away() {
  let nowMs = 0;
  let attempts = 0;
  const sink: Pick<Sink, "open" | "classify" | "explain"> = {
    open: () => {
      attempts += 1;
      return Promise.reject(new Error("connection refused"));
    },
    classify: () => "wait",
    explain: (error) => error as Error,
  };
  const session = {
    sink: async () => sink,
    context: { now: () => nowMs, pause: async (ms: number) => void (nowMs += ms) },
  } as unknown as Session;
  return { session, attempts: () => attempts, now: () => nowMs };
}

const loading = (from: string): Pipeline => ({
  ...{ kind: "pipeline", name: "load:t", from, source: {}, contract: undefined, steps: [], to: "postgres://h/d" },
  sink: {},
});

test("a sink that was never reached is given up after seconds, not minutes", async () => {
  const place = away();
  await expect(connectFirst(place.session, loading(import.meta.filename), waiting)).rejects.toThrow("refused");
  expect(place.now()).toBeGreaterThan(limit.firstConnectionMs);
  expect(place.now()).toBeLessThan(limit.firstConnectionMs + 2 * limit.retryMaxMs);
});

test("where there is no file, nothing is connected", async () => {
  const place = away();
  await connectFirst(place.session, loading(`${import.meta.filename}.missing`), waiting);
  expect(place.attempts()).toBe(0);
});
