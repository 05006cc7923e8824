import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startMariadb } from "../servers/mariadb.ts";
import { describeWith } from "../servers/not-run.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { Server } from "../servers/server.ts";
import { ada, RowsScene } from "./rows-scene.ts";
import { basic } from "./scene.ts";

const at = "/tables/things/rows";
const more = [2, 3, 4, 5].map((id) => ({ id, name: id === 4 ? "=1+1" : `Bob ${id}`, ratio: id / 2 }));
const plain = { big: null, ratio: null, price: null, isOpen: null, day: null, at: null, code: null, more: null };

describe("rows over HTTP in DuckDB", () => {
  promises(async () => undefined);
});
describeWith("postgres", "rows over HTTP in PostgreSQL", () => {
  promises(() => startPostgres());
});
describeWith("mariadb", "rows over HTTP in MariaDB", () => {
  promises(() => startMariadb());
});

function promises(start: () => Promise<Server | undefined>): void {
  let scene: RowsScene;
  let stop: () => Promise<unknown> = async () => undefined;

  beforeAll(async () => {
    const server = await start();
    if (server !== undefined) stop = () => server.stop();
    scene = await RowsScene.open(server?.url);
  }, 60_000);
  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
    await stop();
  });

  it("adds a row that reads back as it was sent", async () => {
    const added = await scene.ask("POST", at, ada);
    expect([added.status, added.body, added.headers.get("location")]).toEqual([201, ada, `${at}/1`]);
    const read = await scene.ask("GET", `${at}/1`, undefined, {});
    expect([read.status, read.body, read.headers.get("etag")]).toEqual([200, ada, added.headers.get("etag")]);
    const known = { "if-none-match": read.headers.get("etag") ?? "" };
    expect((await scene.ask("GET", `${at}/1`, undefined, known)).status).toBe(304);
  });

  it("adds all rows of a list, or none", async () => {
    expect((await scene.ask("POST", at, [...more, { id: 1, name: "again" }])).status).toBe(409);
    expect((await scene.ask("POST", at, [...more, { id: 9, name: null }])).status).toBe(422);
    expect(await scene.ids("")).toEqual([1]);
    const added = await scene.ask("POST", at, more);
    expect([added.status, added.body]).toEqual([201, { inserted: 4 }]);
    expect(
      (
        await scene.ask("POST", at, [
          { id: 8, name: "a" },
          { id: 8, name: "b" },
        ])
      ).status,
    ).toBe(409);
  });

  it("answers with what is asked for", async () => {
    const { body } = await scene.ask("GET", `${at}?id=eq.2`, undefined, {});
    expect(body).toEqual([{ ...plain, ...more[0] }]);
    expect(await scene.ids("id=gte.2&id=lt.5&order=id.desc")).toEqual([4, 3, 2]);
    expect(await scene.ids("name=like.Bob*&ratio=gt.1")).toEqual([3, 5]);
    expect(await scene.ids("ratio=eq.0.5&price=eq.12.5&isOpen=eq.true&day=eq.2024-02-29")).toEqual([1]);
    expect(
      await scene.ids("at=lte.2024-02-29T12:30&big=eq.9007199254740993&code=eq.7F0C1C9E-27F1-4D4B-9A0E-0F7C35FBB111"),
    ).toEqual([1]);
    expect(await scene.ids('name=in.(Ada,"Bob 3")&more=is.null')).toEqual([3]);
    expect(await scene.ids("skip=1&take=2")).toEqual([2, 3]);
    expect(await scene.ids("order=big&after=[null,3]")).toEqual([4, 5]);
    expect((await scene.ask("GET", `${at}?name=like.Bob*&count=true`)).body).toEqual({ count: 3 });
    expect((await scene.ask("GET", `${at}?select=name,id&take=1`)).text).toBe('[{"name":"Ada","id":1}]');
  });

  it("leads from page to page", async () => {
    const seen: unknown[] = [];
    let next: string | undefined = `${at}?order=name.desc&take=2&select=id,name`;
    for (let pages = 0; next !== undefined && pages < 9; pages += 1) {
      const page = await scene.ask("GET", next, undefined, {});
      seen.push(...(page.body as { id: number }[]).map(({ id }) => id));
      next = /<(.*)>; rel="next"/.exec(page.headers.get("link") ?? "")?.[1];
    }
    expect([...(seen as number[])].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
    expect(seen.indexOf(5)).toBeLessThan(seen.indexOf(2));
  });

  it("changes a row that is as the caller thinks", async () => {
    const before = await scene.ask("GET", `${at}/1`);
    const tag = before.headers.get("etag") ?? "";
    const changed = await scene.ask("PATCH", `${at}/1`, { name: "Ada L." });
    expect([changed.status, changed.body]).toEqual([200, { ...ada, name: "Ada L." }]);
    const as = async (method: string, path: string, body?: unknown): Promise<number> => {
      return (await scene.ask(method, path, body, { ...basic("ada"), "if-match": tag })).status;
    };
    expect(await as("PATCH", `${at}/1`, { name: "x" })).toBe(412);
    expect(await as("PUT", `${at}/1`, ada)).toBe(412);
    expect(await as("DELETE", `${at}/1`)).toBe(412);
    const put = await scene.ask("PUT", `${at}/1`, ada);
    expect([put.status, put.body, put.headers.get("etag")]).toEqual([200, ada, tag]);
    expect(await as("PATCH", `${at}/1`, { ratio: 0.25 })).toBe(200);
    expect((await scene.ask("PUT", `${at}/77`, { ...ada, id: 77 })).status).toBe(404);
    expect((await scene.ask("PATCH", `${at}/77`, { name: "x" })).status).toBe(404);
  });

  it("loses no change of two that come at once", async () => {
    const all = await Promise.all([
      scene.ask("PATCH", `${at}/2`, { ratio: 7 }),
      scene.ask("PATCH", `${at}/2`, { price: "3.10" }),
      scene.ask("PATCH", `${at}/2`, { isOpen: false }),
    ]);
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await scene.ask("GET", `${at}/2`)).body).toMatchObject({ ratio: 7, price: "3.10", isOpen: false });
  });

  it("takes a list that adds and changes, and removes by key and by condition", async () => {
    const merged = await scene.ask("PUT", at, [
      { id: 6, name: "new" },
      { id: 5, name: "old" },
    ]);
    expect([merged.status, merged.body]).toEqual([200, { inserted: 1, changed: 1 }]);
    expect((await scene.ask("DELETE", `${at}/6`)).status).toBe(204);
    expect((await scene.ask("DELETE", `${at}/6`)).status).toBe(404);
    const removed = await scene.ask("DELETE", `${at}?id=in.(3,5,99)`);
    expect([removed.status, removed.body]).toEqual([200, { removed: 2 }]);
    expect((await scene.ask("DELETE", at)).status).toBe(422);
    expect(await scene.ids("")).toEqual([1, 2, 4]);
  });

  it("has the key of several columns as parts of the address", async () => {
    const path = "/tables/pairs/rows";
    const row = { left: "a/b c,'", right: 2, note: "one" };
    const added = await scene.ask("POST", path, row);
    expect([added.status, added.headers.get("location")]).toEqual([201, `${path}/a%2Fb%20c%2C'/2`]);
    const where = added.headers.get("location") ?? "";
    expect((await scene.ask("PATCH", where, { note: "two" })).body).toEqual({ ...row, note: "two" });
    expect((await scene.ask("PATCH", where, { right: 3 })).status).toBe(422);
    expect((await scene.ask("DELETE", where)).status).toBe(204);
  });

  it("keeps books of every change", async () => {
    const { sink } = scene.warehouse;
    const entries = await sink.records.ledger({ pipeline: "rows:things", limit: 1_000 });
    const wrong = entries.filter((one) => one.read !== one.loaded + one.merged + one.filtered + one.rejected);
    expect([wrong, entries.length > 10]).toEqual([[], true]);
    // 1 + 4 + 1 rows came, and three are there.
    const sum = entries.reduce((total, { loaded }) => total + loaded, 0);
    const removed = entries.filter(({ end }) => "removed" in end).reduce((total, { merged }) => total + merged, 0);
    expect([sum, removed]).toEqual([6, 3]);
    const [lineage] = await sink.records.lineageOf("things", { id: "1" });
    const [entry] = await sink.records.ledger({ batch: (lineage ?? 0n) >> 24n, limit: 1 });
    expect(entry?.source).toBe("PATCH by ada");
    expect(await sink.records.countRejects({})).toBe(0);
  });
}
