import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { treeOf } from "../../servers/tree.ts";
import { hiredLines } from "./hired.ts";
import { describePlaces } from "./places.ts";
import { HrService } from "./service.ts";

const insight = "/insights/DEPARTMENTS_HIRED_ABOVE_MEAN";
const perFile = 20;

/** Processes that the service keeps. */
function workersOf(hr: HrService): number[] {
  const { pid } = hr;
  return pid === undefined ? [] : treeOf(pid).filter((one) => one !== pid);
}

/** Asks over and over, from several clients, until it is told to stop; gives every answer that was not 200, or its error. */
function asking(hr: HrService, path: string, clients: number): () => Promise<string[]> {
  const wrong: string[] = [];
  let isOver = false;
  const client = async (): Promise<void> => {
    while (!isOver) {
      const said = await hr.request(path).then(
        ({ status }) => String(status),
        (error: unknown) => String((error as Error).cause ?? error),
      );
      if (said !== "200") wrong.push(said);
    }
  };
  const all = Promise.all(Array.from({ length: clients }, client));
  return async () => {
    isOver = true;
    await all;
    return wrong;
  };
}

/** Waits until it is so; it has a minute. */
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`not within a minute: ${what}`);
    await sleep(50);
  }
}

describePlaces("several workers at one port", (place) => {
  let hr: HrService;
  let files = 0;
  beforeAll(async () => {
    hr = await HrService.open({ ...(await place()), flags: ["--workers", "2"] });
  }, 120_000);
  afterAll(() => hr[Symbol.asyncDispose]());

  const upload = async (): Promise<void> => {
    const content = hiredLines(1 + files * perFile, perFile);
    files += 1;
    await hr.uploaded({ name: "hired_employees.csv", content });
  };

  it("take uploads side by side, and every one of them is in the table", async () => {
    await Promise.all(Array.from({ length: 8 }, upload));
    expect(await hr.count("hired_employees")).toBe(files * perFile);
  });

  it("are exchanged by a reload without a request that fails, and read what was written before", async () => {
    const before = workersOf(hr);
    const stop = asking(hr, insight, 4);
    const { code, stderr } = await hr.millrace("reload", "--data", hr.data);
    await upload();
    expect(await stop()).toEqual([]);
    expect([code, stderr]).toEqual([0, ""]);
    const after = workersOf(hr);
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
    expect(after).toHaveLength(2);
    expect(await hr.count("hired_employees")).toBe(files * perFile);
  }, 120_000);

  it("are replaced when they are killed, and nothing that was answered is lost", async () => {
    for (const pid of workersOf(hr)) {
      await upload();
      process.kill(pid, "SIGKILL");
      await until("another worker", () => workersOf(hr).filter((one) => one !== pid).length === 2);
    }
    await until("an answer", async () => (await hr.request("/readyz").catch(() => undefined))?.status === 200);
    await upload();
    expect(await hr.count("hired_employees")).toBe(files * perFile);
  }, 120_000);

  it("are counted together", async () => {
    await hr.request("/healthz");
    const { text } = await hr.request("/metrics");
    expect(text).toMatch(/^millrace_pipeline_running\{pipeline="hr:inbox:jobs"\} 1$/m);
  });
});

describe("the workers of a service", () => {
  it("share what a caller may ask for, and go on as they were when new ones cannot start", async () => {
    const files = { "millrace.config.mjs": "export default {};" };
    const settings = () => ({ "http.rateLimit": 3 });
    await using hr = await HrService.open({ flags: ["--workers", "2"], settings, files });
    const ask = async (): Promise<number> => {
      // A connection for each, so that both workers are asked.
      return (await hr.request("/insights?name=UNKNOWN", { headers: { connection: "close" } })).status;
    };
    // A window may end amid the requests: what two windows allow is the most.
    const answers = await Promise.all(Array.from({ length: 20 }, ask));
    expect(answers.filter((status) => status === 429).length).toBeGreaterThanOrEqual(14);

    const before = workersOf(hr);
    await hr.workplace.write("millrace.config.mjs", "export default { nonsense: 1 };");
    const { code, stderr } = await hr.millrace("reload", "--data", hr.data);
    expect(code).not.toBe(0);
    expect(stderr).toContain("CONFIG_INVALID");
    expect(workersOf(hr)).toEqual(before);
    expect((await hr.request("/healthz")).status).toBe(200);
  }, 120_000);

  it("are needed for a reload", async () => {
    await using hr = await HrService.open();
    const { code, stderr } = await hr.millrace("reload", "--data", hr.data);
    expect([code, stderr]).toEqual([2, expect.stringContaining("--workers")]);
  }, 120_000);
});
