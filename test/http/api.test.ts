import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { applications } from "../../apps/index.ts";
import type { OverviewNow } from "../../src/runtime/overview-shape.ts";
import { signIn } from "./api-scene.ts";
import { basic, password, ServedScene } from "./scene.ts";

const json = (body: unknown): RequestInit => ({
  body: JSON.stringify(body),
  headers: { "content-type": "application/json" },
});

async function overviewOf(scene: ServedScene): Promise<OverviewNow> {
  const answer = await scene.get("/api/overview", basic("rita"));
  expect(answer.status).toBe(200);
  return (await answer.json()) as OverviewNow;
}

function pipelineIn(overview: OverviewNow, name: string) {
  const found = overview.pipelines.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

const hostile = "<script>alert(1)</script>, \u202e'; drop table jobs --";

describe("the API of an embedded service", () => {
  let scene: ServedScene;

  beforeAll(async () => {
    scene = await ServedScene.open(applications, "http.rateLimit=0", "fleet.lingerMs=20");
    await scene.addUser("rita", "reader");
    await scene.addUser("willy", "writer");
    await scene.addUser("ada", "admin");
    const inbox = join(scene.data, "inbox");
    await mkdir(inbox, { recursive: true });
    await writeFile(join(inbox, "jobs.csv"), `1,Ada\n2,${"x"}\nthree,"${hostile}"\n`);
    await vi.waitFor(async () => expect(pipelineIn(await overviewOf(scene), "hr:inbox:jobs").openRejects).toBe(1), {
      timeout: 30_000,
      interval: 300,
    });
  }, 60_000);

  afterAll(() => scene[Symbol.asyncDispose]());

  it("tells of every pipeline where it stands, and in words what needs attention", async () => {
    const overview = await overviewOf(scene);
    expect(overview.pipelines.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["hr:inbox:jobs", "hr:upload:jobs", "fleet:events"]),
    );
    const jobs = pipelineIn(overview, "hr:inbox:jobs");
    expect(jobs).toMatchObject({
      application: "hr",
      warehouse: "hr",
      kind: "followed",
      state: "running",
      table: "jobs",
    });
    expect(jobs.lastBatch).toMatchObject({ read: 3, loaded: 2, rejected: 1 });
    expect(jobs.sinceStart).toMatchObject({ read: "3", loaded: "2", rejected: "1" });
    expect(jobs.spark.rows.reduce((sum, rows) => sum + rows, 0)).toBe(2);
    expect(jobs.spark.rows).toHaveLength(60);
    expect(overview.attention).toContainEqual({
      ...{ level: "warning", pipeline: "hr:inbox:jobs", text: "1 record was rejected by hr:inbox:jobs" },
      remedy: "Look at the reasons, correct the records and replay them.",
      link: "rejects?pipeline=hr%3Ainbox%3Ajobs",
    });
  });

  it("counts what a log holds that is not committed, and how long records took", async () => {
    const vehicle = { ...{ timestamp: 1, make: "Ford", model: "Edge" }, position_x: 1, position_y: 2, position_z: 3 };
    const events = [{ ...vehicle, speed: 4, vin: "TEST0000000000001" }];
    expect((await scene.post("/events", json(events))).status).toBe(200);
    await vi.waitFor(
      async () => {
        const fleet = pipelineIn(await overviewOf(scene), "fleet:events");
        expect(fleet).toMatchObject({
          lagRecords: 0,
          sinceStart: { loaded: "1" },
          delayMs: { p50: expect.any(Number) },
        });
      },
      { timeout: 20_000, interval: 300 },
    );
  });

  it("shows a pipeline's runs, lanes, contract and guarantee, balanced", async () => {
    const answer = await scene.get("/api/pipelines/hr%3Ainbox%3Ajobs", basic("rita"));
    const page = (await answer.json()) as Record<string, unknown>;
    expect(page).toMatchObject({
      guarantee: { name: "exactly once" },
      contract: { table: "jobs", columns: [{ name: "id", key: true }, { name: "job" }] },
      runs: [{ read: 3, loaded: 2, rejected: 1, balanced: true, batches: 1, sources: 1 }],
      history: [{ read: 3, rows: 2, rejected: 1 }],
    });
    expect(page["lanes"]).toHaveLength(1);
    const ledger = await scene.get("/api/pipelines/hr%3Ainbox%3Ajobs/batches?limit=5", basic("rita"));
    expect(await ledger.json()).toMatchObject({ batches: [{ table: "jobs", read: 3, batch: expect.any(String) }] });
    expect((await scene.get("/api/pipelines/..%2F..%2Fetc", basic("rita"))).status).toBe(404);
  });

  it("lets nobody look who is not signed in, without a window of the browser's own", async () => {
    for (const path of ["/api/overview", "/api/events", "/api/pipelines/hr%3Ainbox%3Ajobs"]) {
      const answer = await scene.get(path);
      expect([path, answer.status, answer.headers.get("www-authenticate")]).toEqual([path, 401, null]);
      expect(await answer.json()).toMatchObject({ code: "LOGIN_REFUSED" });
    }
    expect((await scene.get("/api/overview", basic("rita", "wrong"))).status).toBe(401);
    expect(await (await scene.get("/api/session")).json()).toMatchObject({ user: null, hasUsers: true });
  });

  it("keeps a session in a cookie that scripts and other sites cannot use, until it is signed out", async () => {
    const wrong = await signIn(scene, "rita", "wrong");
    expect([wrong.status, wrong.headers.get("set-cookie")]).toEqual([401, null]);
    const foreign = await scene.post("/api/session", json({ username: "rita", password }));
    expect(foreign.status).toBe(403);
    const answer = await signIn(scene, "rita");
    const set = answer.headers.get("set-cookie") ?? "";
    expect(set).toMatch(/^millrace_session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/);
    const cookie = set.split(";")[0] ?? "";
    expect((await scene.get("/api/overview", { cookie })).status).toBe(200);
    expect(await (await scene.get("/api/session", { cookie })).json()).toMatchObject({
      user: { name: "rita", role: "reader" },
      expiresAt: expect.stringMatching(/Z$/),
    });
    const out = (headers: Record<string, string>): Promise<Response> =>
      fetch(new URL("/api/session", scene.server.url), { method: "DELETE", headers });
    expect((await out({ cookie })).status).toBe(403);
    expect((await out({ cookie, "x-millrace": "test" })).status).toBe(204);
    expect((await scene.get("/api/overview", { cookie })).status).toBe(401);
  });

  it("shows rejects as they came, and takes them again corrected, each once, from writers alone", async () => {
    const groups = await scene.get("/api/rejects/groups?pipeline=hr:inbox:jobs", basic("rita"));
    expect(await groups.json()).toEqual({
      groups: [{ warehouse: "hr", pipeline: "hr:inbox:jobs", code: "type", column: "id", count: 1 }],
    });
    const found = await scene.get("/api/rejects?warehouse=hr&pipeline=hr:inbox:jobs&code=type", basic("rita"));
    const { rejects, count } = (await found.json()) as { rejects: { id: string; record: string }[]; count: number };
    expect(count).toBe(1);
    const [reject] = rejects;
    expect(reject).toMatchObject({
      ...{ line: 3, offset: "10", state: "open", attempts: 1, truncated: false, recordBase64: null, warehouse: "hr" },
      record: `three,"${hostile}"`,
      reasons: [{ code: "type", column: "id", value: "three" }],
    });
    const csv = await (await scene.get("/api/rejects/hr/export.csv?pipeline=hr:inbox:jobs", basic("rita"))).text();
    expect(csv.split("\n")[0]).toContain("id,pipeline,source,line");
    expect(csv).toContain("hr:inbox:jobs");

    const id = reject?.id ?? "";
    const replay = async (user: Record<string, string>, body: unknown): Promise<Response> =>
      scene.post("/api/rejects/hr/replay", {
        body: JSON.stringify(body),
        headers: { "content-type": "application/json", ...user },
      });
    const corrections = [{ id, record: `3,"${hostile}"` }];
    expect((await replay(basic("rita"), { corrections })).status).toBe(403);
    const cookie = ((await signIn(scene, "willy")).headers.get("set-cookie") ?? "").split(";")[0] ?? "";
    expect((await replay({ cookie }, { corrections })).status).toBe(403);
    expect((await replay({ cookie, "x-millrace": "test" }, {})).status).toBe(422);
    const again = await replay({ cookie, "x-millrace": "test" }, { ids: [id] });
    expect(await again.json()).toMatchObject({ read: 1, loaded: 0, rejected: 1 });
    const sent = await replay({ cookie, "x-millrace": "test" }, { corrections });
    expect(await sent.json()).toEqual({ read: 1, loaded: 1, merged: 0, filtered: 0, rejected: 0, notices: [] });
    const repeated = await replay(basic("willy"), { corrections });
    expect([repeated.status, await repeated.json()]).toMatchObject([404, { code: "REJECT_UNKNOWN" }]);
    const one = await scene.get(`/api/rejects/hr/${id}`, basic("rita"));
    expect(await one.json()).toMatchObject({ id, state: "replayed", attempts: 3 });
    expect((await scene.get("/api/rejects?warehouse=nowhere", basic("rita"))).status).toBe(404);
  });

  it("checks a file before anything is written, and then loads it", async () => {
    const form = (): FormData => {
      const body = new FormData();
      body.append("file", new Blob([`10,"${hostile}"\nten,Ada\n11\n12,Grace\n`]), "jobs.csv");
      return body;
    };
    const send = (what: string, user: string): Promise<Response> =>
      scene.post(`/api/tables/hr/${what}`, { body: form(), headers: basic(user) });
    expect((await send("jobs/preview", "rita")).status).toBe(403);
    expect((await send("nothing/preview", "willy")).status).toBe(404);
    const seen = (await (await send("jobs/preview?rows=1", "willy")).json()) as Record<string, unknown>;
    expect(seen).toMatchObject({
      ...{ file: "jobs.csv", table: "jobs", columns: ["id", "job"], read: 4, good: 2, rejected: 2, filtered: 0 },
      rows: [{ id: 10, job: hostile }],
      rejects: [{ line: 2, record: "ten,Ada" }, { line: 3 }],
    });
    expect(pipelineIn(await overviewOf(scene), "hr:upload:jobs").sinceStart.read).toBe("0");
    const loaded = await send("jobs/upload", "willy");
    expect(await loaded.json()).toMatchObject({ read: 4, loaded: 2, merged: 0, rejected: 2 });
    expect(pipelineIn(await overviewOf(scene), "hr:upload:jobs").sinceStart.loaded).toBe("2");
  });

  it("lists warehouses with their tables, and insights with what they take", async () => {
    const { warehouses } = (await (await scene.get("/api/tables", basic("rita"))).json()) as {
      warehouses: { name: string; tables: { name: string }[] }[];
    };
    const hr = warehouses.find(({ name }) => name === "hr");
    expect(hr?.tables.find(({ name }) => name === "jobs")).toMatchObject({
      ...{ uploadable: true, rowsPath: "/tables/jobs/rows" },
      columns: [{ name: "id", key: true }, { name: "job" }],
    });
    const { insights } = (await (await scene.get("/api/insights")).json()) as { insights: { name: string }[] };
    expect(insights.map(({ name }) => name)).toContain("HIRES_DEPARTMENT_JOB");
  });

  it("serves the console to browsers, under a policy without inline scripts and styles, and JSON to programs", async () => {
    const browser = await fetch(new URL("/", scene.server.url), {
      headers: { accept: "text/html" },
      redirect: "manual",
    });
    expect([browser.status, browser.headers.get("location")]).toEqual([302, "/console/"]);
    for (const path of ["/console", "/console/", "/console/pipelines/hr%3Ainbox%3Ajobs"]) {
      const answer = await scene.get(path);
      expect([path, answer.status, await answer.text()]).toEqual([
        path,
        200,
        expect.stringContaining("<!doctype html>"),
      ]);
      expect(answer.headers.get("content-security-policy")).toContain("style-src 'self';");
    }
    expect((await scene.get("/console/..%2f..%2fpackage.json")).status).toBe(404);
    expect(await (await scene.get("/")).json()).toMatchObject({ docs: "/docs" });
  });

  it("streams what flows once a second, and ends the stream of who may look no more", async () => {
    const cookie = ((await signIn(scene, "rita")).headers.get("set-cookie") ?? "").split(";")[0] ?? "";
    const answer = await scene.get("/api/events", { cookie });
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    let text = "";
    while ((text.match(/event: overview/g) ?? []).length < 2) {
      text += new TextDecoder().decode((await reader.read()).value);
    }
    const [, data = ""] = /^data: (.*)$/m.exec(text) ?? [];
    expect(pipelineIn(JSON.parse(data) as OverviewNow, "hr:inbox:jobs").table).toBe("jobs");
    const headers = { cookie, "x-millrace": "test" };
    await fetch(new URL("/api/session", scene.server.url), { method: "DELETE", headers });
    for (let done = false; !done; ) ({ done } = await reader.read());
  }, 40_000);
});
