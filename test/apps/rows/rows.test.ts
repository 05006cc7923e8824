import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { rows } from "../../../apps/rows/application.ts";
import { basic, ServedScene } from "../../http/scene.ts";
import { ReplicasScene } from "../replicas/scene.ts";

const id = (row: number): string => `7f0c1c9e-27f1-4d4b-9a0e-${String(row).padStart(12, "0")}`;
const csv = Array.from(
  { length: 1_203 },
  (_, row) => `${id(row)},"{'city': ""Lee's Summit "", 'n': ${row}}",2020-05-03 15:34:29.504`,
);

let cache: ReplicasScene;
let served: ServedScene;

beforeAll(async () => {
  cache = await ReplicasScene.open();
  await cache.write("sample_us_users.csv", `id,address,inserted_at\n${csv.join("\n")}\n`);
  await cache.announce("sample_us_users.csv", { prim_index: "id" });
  await cache.approve();
  await cache.served.get("/register_replicas");
  await cache.served.post("/loadDf2redis");
  const from = [`rows.from=${cache.served.server.url}`, `rows.fingerprint=${cache.key.fingerprint}`, "rows.load=true"];
  served = await ServedScene.open([rows], "http.rateLimit=0", ...from);
  await served.addUser("ada", "writer");
  await vi.waitFor(async () => expect(await count()).toBe(1_203), { timeout: 30_000, interval: 50 });
}, 90_000);
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await cache[Symbol.asyncDispose]();
});

async function count(): Promise<unknown> {
  const found = (await (await served.get("/tables/sample_us_users/rows?count=true")).json()) as { count?: number };
  return found.count;
}

async function ask(method: string, path: string, body?: object): Promise<{ status: number; body: unknown }> {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = { ...basic("ada"), ...(body === undefined ? {} : { "content-type": "application/json" }) };
  const response = await fetch(`${served.server.url}${path}`, { method, headers, ...init });
  return { status: response.status, body: JSON.parse(await response.text()) as unknown };
}

const addressOf = (n: number): object => ({ city: "Lee's Summit", n, state: "US-OUT", country: "US-OUT" });

const row = (n: number): object => ({
  ...{ id: id(n), address: JSON.stringify(addressOf(n)), inserted_at: "2020-05-03T15:34:29.504000" },
});

describe("rows that a service hands out", () => {
  it("are answered with as callers know them", async () => {
    const list = await ask("GET", "/sample_us_users/?skip=1&take=2");
    expect(list).toEqual({ status: 200, body: [row(1), row(2)] });
    expect(await ask("GET", `/sample_us_users/${id(7)}/`)).toEqual({ status: 200, body: row(7) });
    expect((await ask("GET", `/sample_us_users/${id(99_999)}/`)).status).toBe(404);
    expect((await ask("GET", "/sample_us_users/x/")).status).toBe(422);
    expect((await ask("GET", "/tables/other/rows")).status).toBe(404);
  });

  it("are typed by their values", async () => {
    const { body } = await ask("GET", "/tables/sample_us_users/rows?take=1");
    expect(body).toEqual([{ id: id(0), address: addressOf(0), inserted_at: "2020-05-03T15:34:29.504" }]);
  });

  it("are changed, added and removed", async () => {
    const changed = { ...row(3), address: '{"city":"Rome"}' };
    expect(await ask("PUT", `/sample_us_users/${id(3)}/`, changed)).toEqual({ status: 200, body: changed });
    const patched = await ask("PATCH", `/sample_us_users/${id(3)}/`, { inserted_at: "2021-01-01T00:00:00" });
    expect(patched.body).toEqual({ ...changed, inserted_at: "2021-01-01T00:00:00.000000" });
    expect((await ask("PATCH", `/sample_us_users/${id(3)}/`, { inserted_at: "never" })).status).toBe(422);
    expect(await ask("POST", "/sample_us_users/", row(90_000))).toEqual({ status: 201, body: row(90_000) });
    expect((await ask("POST", "/sample_us_users/", row(90_000))).status).toBe(409);
    const message = `Note with id: ${id(90_000)} deleted successfully!`;
    expect(await ask("DELETE", `/notes/${id(90_000)}/`)).toEqual({ status: 200, body: { message } });
    expect((await ask("DELETE", `/sample_us_users/${id(90_000)}/`)).status).toBe(404);
  });

  it("are cleared of the cache when they are in", async () => {
    await vi.waitFor(
      async () => {
        const left = await cache.served.post("/getTopNFromReplica", { body: "?replica=sample_us_users&topn=-1" });
        expect(await left.json()).toEqual({});
      },
      { timeout: 20_000, interval: 50 },
    );
  });

  it("may be named to be cleared, by who is approved", async () => {
    const named = async (lines: string, more = {}): Promise<Response> => {
      const body = new FormData();
      body.append("replica", "sample_us_users");
      body.append("remove", "False");
      body.append("file", new File([lines], "rows.jsonl"));
      return fetch(`${cache.served.server.url}/clearRedisCache`, { method: "POST", body, ...more });
    };
    await cache.approve();
    expect(await (await named('["x","[]"]\n')).json()).toEqual({ clear_cache: "success", cleared: 0 });
    expect((await named("x\n")).status).toBe(422);
  });
});

describe("a service that cannot be told which rows to clear", () => {
  let data = { a: [1], b: [2] } as Record<string, unknown>;
  let changesMeanwhile = true;
  const asked: string[] = [];
  let old: Server;

  beforeAll(async () => {
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<unknown> => {
      let body = "";
      for await (const piece of request) body += String(piece);
      const path = request.url ?? "";
      const isForm = request.headers["content-type"]?.startsWith("multipart/") === true;
      asked.push(`${path}${isForm ? " named" : ""}`);
      if (path === "/getRegisteredReplics") return response.end('{"LIST_OF_REGISTERED_REPLICS":"old"}');
      if (path === "/getReplicaColumns") return response.end('["id","n"]');
      if (path === "/clearRedisCache") {
        if (isForm && changesMeanwhile) data = { ...data, c: [3] };
        changesMeanwhile = false;
        if (!isForm && body.includes("remove=True")) data = {};
        return response.end('{"clear_cache":"success"}');
      }
      return response.end(JSON.stringify(data));
    };
    old = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
    await new Promise<void>((resolve) => old.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => new Promise((resolve) => old.close(resolve)));

  it("is cleared as a whole, once nothing has changed", async () => {
    const { port } = old.address() as AddressInfo;
    await using scene = await ServedScene.open(
      [rows],
      "http.rateLimit=0",
      `rows.from=http://127.0.0.1:${port}`,
      "rows.load=true",
    );
    await vi.waitFor(() => expect(data).toEqual({}), { timeout: 20_000, interval: 20 });
    const found = await (await scene.get("/tables/old/rows")).json();
    expect(found).toEqual([
      { id: "a", n: 1 },
      { id: "b", n: 2 },
      { id: "c", n: 3 },
    ]);
    expect(asked.filter((path) => path === "/clearRedisCache")).toHaveLength(1);
  });
});
