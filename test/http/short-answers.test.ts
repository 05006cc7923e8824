import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hr } from "../../apps/hr/application.ts";
import { departmentsCsv, employeesCsv, jobsCsv } from "../../scripts/sample-data.ts";
import { password, ServedScene } from "./scene.ts";

const path = "/insights?table=HIRES_DEPARTMENT_JOB&limit=3";

async function opened(rateLimit: number): Promise<ServedScene> {
  const scene = await ServedScene.open([hr], `http.rateLimit=${rateLimit}`);
  await scene.addUser("ada", "writer");
  await upload(scene, "departments.csv", departmentsCsv());
  await upload(scene, "jobs.csv", jobsCsv());
  await upload(scene, "hired_employees.csv", employeesCsv({ rows: 200, bad: 0 }));
  return scene;
}

async function upload(scene: ServedScene, name: string, csv: string): Promise<void> {
  const body = new FormData();
  body.set("username", "ada");
  body.set("password", password);
  body.set("file", new Blob([csv], { type: "text/csv" }), name);
  const response = await scene.post("/upload", { body });
  expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ type: "text/csv" })]);
}

interface Heard {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

async function ask(scene: ServedScene, headers: Readonly<Record<string, string>> = {}): Promise<Heard> {
  const response = await scene.get(path, headers);
  return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
}

/** What two answers to the same request have in common: all but their numbers and the second they were given in. */
function lasting({ headers: { "x-request-id": _, date: __, ...headers }, ...rest }: Heard): object {
  return { ...rest, headers };
}

async function counted(scene: ServedScene): Promise<number> {
  const metrics = await (await scene.get("/metrics")).text();
  const line = /^millrace_http_request_duration_seconds_count\{method="GET",route="\/insights",status="200"\} (\d+)$/m;
  return Number(line.exec(metrics)?.[1]);
}

describe("a request that was answered before", () => {
  let scene: ServedScene;
  beforeAll(async () => {
    scene = await opened(0);
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  it("is answered with the same bytes and headers, but for its number, and counted", async () => {
    // What is remembered was sent by the framework, as is what has a condition.
    const other = { "if-none-match": '"another"' };
    const ordinary = await ask(scene, other);
    const before = await counted(scene);
    const again = [await ask(scene), await ask(scene), await ask(scene)];
    expect(ordinary.status).toBe(200);
    for (const one of again) expect(lasting(one)).toEqual(lasting(ordinary));
    expect(lasting(await ask(scene, other))).toEqual(lasting(ordinary));
    const ids = again.map(({ headers }) => headers["x-request-id"]);
    expect(new Set([...ids, ordinary.headers["x-request-id"]]).size).toBe(4);
    expect(await counted(scene)).toBe(before + 4);
  });

  it("goes the ordinary way where it is not quite the same", async () => {
    const { headers, text } = await ask(scene);
    const unchanged = await ask(scene, { "if-none-match": headers["etag"] ?? "" });
    expect([unchanged.status, unchanged.text, unchanged.headers["etag"]]).toEqual([304, "", headers["etag"]]);
    const head = await fetch(new URL(path, scene.server.url), { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([
      200,
      String(text.length),
      "",
    ]);
    const deleted = await fetch(new URL(path, scene.server.url), { method: "DELETE" });
    expect(deleted.status).toBe(405);
    await deleted.text();
  });

  it("is answered anew once its tables have changed", async () => {
    const before = await ask(scene);
    await upload(scene, "hired_employees.csv", "900001,New,2021-05-05T05:05:05Z,1,1\n");
    await upload(scene, "departments.csv", "1,AAA first of all\n");
    const after = await ask(scene);
    expect(after.text).toContain("AAA first of all");
    expect(after.headers["etag"]).not.toBe(before.headers["etag"]);
    expect(lasting(await ask(scene))).toEqual(lasting(after));
  });
});

describe("where requests are limited", () => {
  it("every one is counted, also one that was answered before", async () => {
    await using scene = await opened(5);
    expect((await ask(scene)).status).toBe(200);
    const statuses = (await Promise.all(Array.from({ length: 40 }, () => ask(scene)))).map(({ status }) => status);
    expect(statuses).toContain(429);
  });
});
