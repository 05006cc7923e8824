import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { Server } from "../servers/server.ts";
import { expectError, expectLoaded, Scene } from "./attempt.ts";

const names = [
  'with "quotes"',
  "with 'apostrophes'",
  "with spaces and, commas",
  "select",
  "ORDER",
  "naïve 名前",
  "semi; drop table x; --",
  "a.b",
  "back\\slash",
  "100%",
  "$1",
  "tab\there",
  "n".repeat(63),
];

async function loadNamed(scene: Scene, name: string, to: string): Promise<void> {
  const columns = { [name]: { type: "integer" }, [`${name.slice(0, 60)} 2`]: { type: "text" } };
  const contract = { table: name, columns };
  const attempt = { content: "1,one\n2,two\nx,three\n", contract, to, source: { header: false } };
  await expectLoaded(scene, await scene.load(attempt), { read: 3, rejected: 1 }, name, to);
  const again = await scene.load(attempt);
  expect(again.summary?.alreadyLoaded).toBe(3);
}

describe("names of any kind are names", () => {
  test.each(names)("in a DuckDB file: %j", async (name) => {
    using scene = new Scene();
    await loadNamed(scene, name, scene.to);
  });
  test.each(names)("in a folder of files: %j", async (name) => {
    using scene = new Scene();
    await loadNamed(scene, name, `file:${scene.path("out")}`);
  });
  test.each(["", "n".repeat(64), "nul\0"])("%j is none, and said so", async (name) => {
    using scene = new Scene();
    const outcome = await scene.load({
      content: "1\n",
      contract: { table: name, columns: { a: { type: "integer" } } },
    });
    expectError(outcome, "CONTRACT_INVALID", /name/);
  });
  test("two columns that differ only in case are said", async () => {
    using scene = new Scene();
    const columns = { a: { type: "integer" }, A: { type: "integer" } };
    expectError(await scene.load({ content: "1,2\n", contract: { table: "t", columns } }), "CONTRACT_INVALID", /case/);
  });
});

describeWith("postgres", "names of any kind are names in PostgreSQL", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test.each(names)("%j", async (name) => {
    using scene = new Scene();
    await loadNamed(scene, name, `${server.url}?schema=${encodeURIComponent(name)}`);
  });
  test("a name that is too long for the server in bytes is said, not cut", async () => {
    using scene = new Scene();
    const contract = { table: "名".repeat(30), columns: { a: { type: "integer" } } };
    const outcome = await scene.load({ content: "1\n", contract, to: server.url });
    expect(outcome.error?.code).toMatch(/CONTRACT_INVALID|TABLE_MISMATCH|PIPELINE_INVALID/);
  });
});
