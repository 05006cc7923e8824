import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RowEngine } from "../conformance/engine-rows.ts";
import { ada, RowsScene } from "./rows-scene.ts";
import { basic } from "./scene.ts";

const at = "/tables/things/rows";

let scene: RowsScene;
beforeAll(async () => {
  scene = await RowsScene.open();
  await scene.ask("POST", at, [ada, { id: 2, name: "-2+3" }, { id: 3, name: 'a"b,c' }]);
}, 60_000);
afterAll(() => scene[Symbol.asyncDispose]());

describe("a question about rows that makes no sense", () => {
  it.each([
    ["take=-1", "take"],
    ["take=2000000", "take"],
    ["take=x", "take"],
    ["skip=1e99", "skip"],
    ["skip=-0", "skip"],
    ["nope=eq.1", "nope"],
    ["__proto__=eq.1", "__proto__"],
    ["id=1", "id"],
    ["id=eq.x", "id"],
    ["id=eq.1;drop table things", "id"],
    ["id=eq.99999999999", "id"],
    ["id=like.1*", "id"],
    ["id=in.()", "id"],
    ["id=in.(1,2", "id"],
    ["id=is.1", "id"],
    ["at=gt.2024-02-30", "at"],
    ["more=eq.1", "more"],
    ["order=nope", "order"],
    ["order=more", "order"],
    ["order=name,name", "order"],
    ["order=name;drop", "order"],
    ["select=id,constructor", "select"],
    ["after=x", "after"],
    ["after=[1,2]", "after"],
    ["count=yes", "count"],
    ["formulas=maybe", "formulas"],
  ])("%s is answered with 422 and names %s", async (query, field) => {
    const { status, body } = await scene.ask("GET", `${at}?${query}`, undefined, {});
    expect([status, body]).toMatchObject([422, { code: "REQUEST_INVALID", detail: [{ loc: ["query", field] }] }]);
  });

  it("is answered with 4xx where it is about the address or the form", async () => {
    expect((await scene.ask("GET", `${at}?id=in.(${"1,".repeat(4_200)}1)`, undefined, {})).status).toBe(414);
    expect((await scene.ask("GET", at, undefined, { accept: "image/png" })).status).toBe(406);
    expect((await scene.ask("GET", "/tables/nothing/rows", undefined, {})).status).toBe(404);
    for (const id of ["1%20or%201=1", "1'--", "%00", "1e0x", `${"9".repeat(40)}`]) {
      const { status, body } = await scene.ask("GET", `${at}/${id}`, undefined, {});
      expect([id, status, body]).toMatchObject([
        id,
        422,
        { code: "REQUEST_INVALID", detail: [{ loc: ["path", "id"] }] },
      ]);
    }
    expect((await scene.ask("GET", `/tables/pairs/rows/${encodeURIComponent("' or 1=1 --")}/1`)).status).toBe(404);
  });
});

describe("a change that may not be", () => {
  it.each([
    [{ id: 9, name: "x".repeat(21) }, "name", "value_error.maxLength"],
    [{ id: "x", name: "a" }, "id", "value_error.type"],
    [{ id: 9 }, "name", "value_error.missing"],
    [{ id: 9, name: null }, "name", "value_error.missing"],
    [{ id: 9, name: "a", other: 1 }, "other", "value_error.columns"],
    [JSON.parse('{"id": 9, "name": "a", "__proto__": 1}') as object, "__proto__", "value_error.columns"],
    [{ id: 9, name: ["a"] }, "name", "value_error.type"],
    [{ id: 9, name: "a", big: 1e300 }, "big", "value_error.type"],
    [{ id: 9, name: "a", day: "29.02.2023" }, "day", "value_error.type"],
    [{ id: 2 ** 31, name: "a" }, "id", "value_error.type"],
    [{ id: 9, name: "a\0" }, "name", "value_error.type"],
  ])("%j is refused with the reason", async (row, column, type) => {
    const { status, body } = await scene.ask("POST", at, row);
    expect([status, body]).toMatchObject([422, { code: "ROW_INVALID" }]);
    expect((body as { detail: object[] }).detail).toContainEqual(
      expect.objectContaining({ loc: ["body", column], type }),
    );
    expect(await scene.ids("")).toEqual([1, 2, 3]);
  });

  it("is refused for bodies that are no row", async () => {
    for (const body of [[], [1], "x", 7, null]) expect((await scene.ask("POST", at, body)).status).toBe(422);
    expect((await scene.ask("POST", at, { id: 1, name: "a" })).body).toMatchObject({ code: "ROW_EXISTS" });
    expect((await scene.ask("PUT", `${at}/1`, { name: "a", id: 2 })).status).toBe(422);
  });

  it("needs credentials of a writer", async () => {
    const changes = [
      ["POST", at],
      ["PUT", at],
      ["DELETE", `${at}?id=eq.1`],
      ["PUT", `${at}/1`],
      ["PATCH", `${at}/1`],
      ["DELETE", `${at}/1`],
    ] as const;
    for (const [method, path] of changes) {
      const body = method === "DELETE" ? undefined : ada;
      expect([method, (await scene.ask(method, path, body, {})).status]).toEqual([method, 401]);
      expect([method, (await scene.ask(method, path, body, basic("ada", "wrong"))).status]).toEqual([method, 401]);
      expect([method, (await scene.ask(method, path, body, basic("rea"))).status]).toEqual([method, 403]);
    }
    expect((await scene.ask("GET", `${at}/1`, undefined, {})).body).toEqual(ada);
  });
});

describe("the form of an answer", () => {
  const as = (accept: string, query = "") => scene.ask("GET", `${at}${query}`, undefined, { accept });

  it("is CSV in which no text is a formula", async () => {
    const { headers, text } = await as("text/csv", "?select=id,name,at");
    expect([headers.get("content-type"), text]).toEqual([
      "text/csv; charset=utf-8; header=present",
      `id,name,at\r\n1,Ada,2024-02-29T12:30:00\r\n2,'-2+3,\r\n3,"a""b,c",\r\n`,
    ]);
    expect((await as("text/csv", "?select=name&id=eq.2&formulas=raw")).text).toBe("name\r\n-2+3\r\n");
  });

  it("is NDJSON, or whatever the caller likes best", async () => {
    const { text } = await as("application/x-ndjson, application/json;q=0.5", "?select=id&take=2");
    expect(text).toBe('{"id":1}\n{"id":2}\n');
    expect((await as("text/html, */*;q=0.8", "?select=id&take=1")).text).toBe('[{"id":1}]');
  });

  it("is the same when the rows are sent as they come", async () => {
    for (const accept of ["application/json", "text/csv", "application/x-ndjson"]) {
      const once = await as(accept, "?take=100&order=name");
      const streamed = await as(accept, "?take=100000&order=name");
      expect(streamed.text).toBe(once.text);
    }
    expect((await as("application/json", "?take=100000&id=eq.9")).text).toBe("[]");
  });

  it("is Parquet with the types of the contract", async () => {
    const response = await fetch(`${scene.served.server.url}${at}`, {
      headers: { accept: "application/vnd.apache.parquet" },
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    expect([response.status, bytes.subarray(0, 4).toString()]).toEqual([200, "PAR1"]);

    const folder = await mkdtemp(join(tmpdir(), "millrace-rows-test-"));
    const engine = await RowEngine.open();
    try {
      await writeFile(`${folder}/a.parquet`, bytes);
      const connection = await engine.context.engine.connect();
      const rows = await connection.all(
        `select id, name, typeof(big) as big, typeof(price) as price, typeof("at") as at from read_parquet('${folder}/a.parquet') order by id`,
      );
      connection.close();
      const types = { big: "BIGINT", price: "DECIMAL(12,2)", at: "TIMESTAMP" };
      expect(rows).toEqual(
        [
          { id: 1, name: "Ada" },
          { id: 2, name: "-2+3" },
          { id: 3, name: 'a"b,c' },
        ].map((row) => ({ ...row, ...types })),
      );
    } finally {
      await engine[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    }
  });
});
