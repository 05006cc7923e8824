import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fileStore } from "../../src/adapters/file/index.ts";
import type { MillraceError } from "../../src/core/error.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { Store } from "../../src/ports/store.ts";
import { expectedFiles } from "../../src/runtime/expected-files.ts";
import { Schedule, timesBefore } from "../../src/runtime/schedule.ts";

let folder: string;
let store: Store;
let nowMs = Date.UTC(2022, 1, 22, 3, 30);
const notices: string[] = [];
const open: Schedule[] = [];
const context = {
  engine: { connect: () => Promise.reject(new Error("no engine here")), uniqueName: (name: string) => name },
  now: () => nowMs,
  pause: async () => undefined,
  notice: (text: string) => void notices.push(text),
};
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-schedule-"));
  store = fileStore(parsePlace(`file:${join(folder, "store.db")}`), context);
  await store.open();
  notices.length = 0;
});
afterEach(async () => {
  for (const one of open.splice(0)) one.stop();
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Begun as a service begins it; resolves when what it does at once is done. */
async function started(pattern: string): Promise<void> {
  const begun: Promise<void>[] = [];
  const parts = { what: "backup", pattern, work: async () => undefined, store: async () => store, now: () => nowMs };
  open.push(new Schedule({ ...parts, notice: context.notice }, (work) => void begun.push(work())));
  await Promise.all(begun);
}

it("says how often it was missed while no process ran, once", async () => {
  await started("0 3 * * *");
  expect(notices).toEqual([]);
  nowMs = Date.UTC(2022, 1, 25, 2, 0);
  await started("0 3 * * *");
  expect(notices).toEqual([
    "backup: missed 2 times, the latest 2022-02-24T03:00:00.000Z; it is not done again for them",
  ]);
  await started("0 3 * * *");
  expect(notices).toHaveLength(1);
});

it("does work that takes longer than its time once at a time, and says what is left out", async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const { promise: said, resolve: heard } = Promise.withResolvers<void>();
  let runs = 0;
  const parts = {
    what: "look",
    pattern: "* * * * * *",
    now: () => Date.now(),
    notice: (text: string) => heard(notices.push(text) as never),
  };
  const work = async (): Promise<void> => {
    runs += 1;
    await held;
  };
  open.push(new Schedule({ ...parts, work }, (task) => void task().catch(() => undefined)));
  await said;
  expect({ runs, notice: notices[0] }).toEqual({
    runs: 1,
    notice: "look: it is time again, and the work before is not done; this time is left out",
  });
  release();
}, 30_000);

it("takes a pattern in the zone that it names, summer time included", () => {
  const summer = Date.UTC(2022, 6, 1, 12);
  const utc = (pattern: string, at: number): string | undefined =>
    timesBefore("look", pattern, 1, at).map((time) => new Date(time).toISOString())[0];
  expect(utc("0 3 * * *", summer)).toBe("2022-07-01T03:00:00.000Z");
  expect(utc("CRON_TZ=Europe/Madrid 0 3 * * *", summer)).toBe("2022-07-01T01:00:00.000Z");
  expect(utc("TZ=Europe/Madrid 0 3 * * *", Date.UTC(2022, 0, 1, 12))).toBe("2022-01-01T02:00:00.000Z");
  for (const wrong of ["never", "61 * * * *", "CRON_TZ=Mars/Base 0 3 * * *", ""]) {
    expect(() => utc(wrong, summer)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  }
});

it("misses a file that is expected by a time and has not come since the time before", async () => {
  nowMs = Date.UTC(2022, 1, 22, 12);
  const watch = expectedFiles({ name: "sales", from: "file:IN/*.csv", source: { expectedBy: "0 7 * * *" } }, context);
  const at = async (day: number): Promise<unknown> => {
    nowMs = Date.UTC(2022, 1, day, 7);
    return watch?.check().then(
      () => "came",
      (error: unknown) => (error as MillraceError).code,
    );
  };
  expect(await at(23)).toBe("came");
  expect(await at(24)).toBe("FILE_MISSING");
  nowMs = Date.UTC(2022, 1, 24, 20);
  watch?.seen();
  expect([await at(25), await at(26)]).toEqual(["came", "FILE_MISSING"]);
});
