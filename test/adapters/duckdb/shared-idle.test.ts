import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findHost } from "../../../src/adapters/duckdb/shared/find-host.ts";
import type { Guest } from "../../../src/adapters/duckdb/shared/guest.ts";
import { limit } from "../../../src/core/limit.ts";
import { makeTarget, Scene } from "./scene.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(async () => {
  await scene[Symbol.asyncDispose]();
});

/** Pauses that end when the test says so. */
class Pauses {
  readonly #waiting = new Set<() => void>();

  readonly pause = (ms: number, signal?: AbortSignal): Promise<void> => {
    expect(ms).toBe(limit.idleInTransactionMs);
    return new Promise((resolve, reject) => {
      this.#waiting.add(resolve);
      signal?.addEventListener("abort", () => {
        this.#waiting.delete(resolve);
        reject(signal.reason as Error);
      });
    });
  };

  get count(): number {
    return this.#waiting.size;
  }

  end(): void {
    for (const resolve of [...this.#waiting]) resolve();
    this.#waiting.clear();
  }
}

/** A guest in the same process as its host, which no lock would make one. */
async function guestOf(file: string): Promise<Guest> {
  const location = { path: file, shown: `duckdb:${file}`, schema: "main", stateSchema: "main" };
  const found = await findHost(location, scene.rows.context, new Error(`PID ${process.pid}`));
  if (!("guest" in found)) throw new Error("there is no host");
  await found.guest.open();
  return found.guest;
}

describe("a guest that hangs with a unit open", () => {
  it("loses it to those who wait for their turn, and is told that it may try again", async () => {
    const pauses = new Pauses();
    const sink = scene.make(undefined, {}, { pause: pauses.pause });
    await sink.open();
    await sink.share?.();
    const target = makeTarget();
    const guest = await guestOf(scene.file);
    await guest.prepare(target);
    const claim = await guest.claim("p", "lane", "lane.csv", { row: 0 });
    const batch = await scene.batch(sink, target, claim, [{ id: 1, name: "a" }]);
    const unit = await guest.begin(target);
    expect(pauses.count).toBe(1);
    await unit.write(batch);
    expect(pauses.count).toBe(1);
    const waiting = sink.begin(target);
    pauses.end();
    await (await waiting).rollback();
    const failure: unknown = await unit.commit().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: "SINK_BUSY", message: expect.stringContaining("stood still for 60 s") });
    expect(sink.classify(failure)).toBe("wait");
    await unit.rollback();
    expect(pauses.count).toBe(0);
    const again = await guest.begin(target);
    expect((await again.write(batch)).loaded).toBe(1);
    await again.commit();
    expect(pauses.count).toBe(0);
    await guest.close();
  });

  it("or goes away while it waits for its turn, leaves the turn to others", async () => {
    const pauses = new Pauses();
    const sink = scene.make(undefined, {}, { pause: pauses.pause });
    await sink.open();
    await sink.share?.();
    const target = makeTarget();
    await sink.prepare(target);
    const guest = await guestOf(scene.file);
    const first = await sink.begin(target);
    const waiting = guest.begin(target).catch((error: unknown) => error);
    await guest.close();
    await first.rollback();
    expect(await waiting).toMatchObject({ code: "INTERNAL" });
    await (await sink.begin(target)).rollback();
    expect(pauses.count).toBe(0);
  });
});
