import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applications } from "../../apps/index.ts";
import { clientText, type Document } from "../../scripts/openapi/client-text.ts";
import { formatted } from "../../scripts/openapi/formatted.ts";
import { Client } from "./fixtures/client.ts";
import { password, ServedScene } from "./scene.ts";

const root = join(import.meta.dirname, "..", "..");
const snapshot = JSON.parse(readFileSync(join(root, "docs", "openapi.json"), "utf8")) as Document;
const version = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;

let scene: ServedScene;

beforeAll(async () => {
  scene = await ServedScene.open(applications, "http.rateLimit=0");
  await scene.addUser("ada", "admin");
}, 60_000);

afterAll(() => scene[Symbol.asyncDispose]());

describe("the OpenAPI document", () => {
  it("is the one in docs (npm run openapi writes it)", async () => {
    const served = (await (await scene.get("/openapi.json")).json()) as Document & { info: { version: string } };
    served.info.version = version;
    expect(served).toEqual(snapshot);
  });

  it("is what the client is made of (npm run openapi writes it)", () => {
    const kept = readFileSync(join(root, "test", "http", "fixtures", "client.ts"), "utf8");
    expect(kept).toBe(formatted(clientText(snapshot), "client.ts"));
  });

  it("describes every route with a summary, a tag and its answers", () => {
    for (const [path, operations] of Object.entries(snapshot.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        expect(operation, `${method} ${path}`).toMatchObject({
          summary: expect.any(String),
          tags: [expect.any(String)],
        });
      }
    }
  });
});

describe("the client", () => {
  const named = (name: string, text: string): Blob => new File([text], name, { type: "text/csv" });

  it("uploads, asks, backs up and restores, typed by the document", async () => {
    const client = new Client({ url: scene.server.url, username: "ada", password });
    const uploaded = await client.postUpload({}, { file: named("jobs.csv", "1,Baker\n2,Miller\nx,\n") });
    if (uploaded.status !== 200) throw new Error(`answered with ${uploaded.status}`);
    expect(uploaded.body).toMatchObject({ rows: 3, nrows_inserted: 2, nrows_failed: 1 });
    expect(uploaded.body.errors?.map(({ line, column }) => [line, column])).toEqual([
      [3, "id"],
      [3, "job"],
    ]);
    await client.postUpload({}, { file: named("departments.csv", "1,Mill\n") });
    await client.postUpload({}, { file: named("hired_employees.csv", "1,Ada,2021-02-03T04:05:06Z,1,2\n") });
    const insight = await client.getInsightsHiresDepartmentJob({ year: 2021 });
    expect([insight.status, insight.body]).toEqual([
      200,
      [{ department: "Mill", job: "Miller", q1: 1, q2: 0, q3: 0, q4: 0 }],
    ]);
    expect((await client.postBackup({ table: "jobs" }, {})).status).toBe(200);
    await client.postUpload({}, { file: named("jobs.csv", "3,Sailor\n") });
    const backups = await client.getBackups({ table: "jobs" });
    expect([backups.status, backups.body]).toEqual([
      200,
      [expect.objectContaining({ table: "jobs", rows: 2, state: "complete" })],
    ]);
    expect((await client.postRestore({ table: "jobs" }, {})).status).toBe(200);
    const again = await client.postUpload({ mode: "append" }, { file: named("jobs.csv", "2,Miller\n3,Sailor\n") });
    expect(again.body).toMatchObject({ nrows_inserted: 1, nrows_failed: 1 });
  });
});
