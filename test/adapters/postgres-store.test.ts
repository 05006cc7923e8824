import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresStore } from "../../src/adapters/postgres/index.ts";
import { storeConformance } from "../../src/conformance/index.ts";
import { MillraceError } from "../../src/core/error.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { Store } from "../../src/ports/store.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { RestartableServer } from "../servers/server.ts";
import { context, run, urlWith } from "./postgres/scene.ts";

let server: RestartableServer;
let databases = 0;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const make = (url: string): Store => postgresStore(parsePlace(url), context);

async function newDatabase(): Promise<string> {
  databases += 1;
  await run(server.url, `create database store_${databases}`);
  return urlWith(server.url, { database: `store_${databases}` });
}

storeConformance({
  name: "postgres",
  api: { describe, it, expect },
  skips: {},
  create: async () => {
    const url = await newDatabase();
    return {
      store: make(url),
      other: async () => make(url),
      dispose: async () => {
        await run(server.url, `drop database store_${databases} with (force)`);
      },
    };
  },
});

describe("a store in PostgreSQL", () => {
  async function using<Result>(url: string, work: (store: Store) => Promise<Result>): Promise<Result> {
    const store = make(url);
    try {
      await store.open();
      return await work(store);
    } finally {
      await store.close();
    }
  }

  const failure = async (work: Promise<unknown>): Promise<{ code: string; message: string }> => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof MillraceError)) throw new Error("expected a MillraceError", { cause: error });
    return { code: error.code, message: error.message };
  };

  it("lies in the schema that the URL names for what Millrace keeps, which is created", async () => {
    const url = await newDatabase();
    await using(`${url}?schema=rows&millrace_schema=Kept%20here`, (store) => store.put("k", 1));
    await using(`${url}?schema=rows`, (store) => store.put("k", 2));
    const found = await run(
      url,
      "select table_schema as s from information_schema.tables where table_name = 'millrace_store' order by 1",
    );
    expect(found).toEqual([{ s: "Kept here" }, { s: "rows" }]);
    expect(await using(`${url}?millrace_schema=Kept%20here`, (store) => store.get("k"))).toMatchObject({ value: 1 });
  });

  it("keeps the very text of a value, for other programs to read", async () => {
    const url = await newDatabase();
    await using(url, (store) => store.put("k", { b: 1, a: "\0" }));
    expect(await run(url, "select value::text as text from millrace_store")).toEqual([
      { text: '{"b":1,"a":"\\u0000"}' },
    ]);
  });

  it("orders keys by their bytes, whatever the order of the database is", async () => {
    const url = await newDatabase();
    await using(url, (store) => store.put("k", 1));
    const sql =
      "select collation_name as c from information_schema.columns where table_name = 'millrace_store' and column_name = 'key'";
    expect(await run(url, sql)).toEqual([{ c: "C" }]);
  });

  it("creates nothing where everything is there: a user without the right to create may use it", async () => {
    const url = await newDatabase();
    await using(url, (store) => store.put("k", 1));
    await run(
      url,
      `create role guest login password 'guest'; revoke create on schema public from public;
grant select, insert, update, delete on millrace_store to guest; grant usage on millrace_store_version to guest`,
    );
    const guest = urlWith(url, { username: "guest", password: "guest" });
    expect(await using(guest, (store) => store.put("k", 2))).toBe(true);
    await run(url, "revoke delete on millrace_store from guest");
    const denied = await using(guest, (store) => failure(store.remove("k")));
    expect(denied.code).toBe("SINK_DENIED");
    expect(denied.message).toContain(new URL(url).hostname);
    expect(denied.message).not.toContain("guest:guest");
    await run(url, "drop owned by guest; drop role guest");
  });

  it("says where it cannot be reached, without the password", async () => {
    const found = await failure(make("postgres://me:hunter22@127.0.0.1:1/hr").open());
    expect(found.code).toBe("SINK_UNREACHABLE");
    expect(found.message).toContain("127.0.0.1:1/hr");
    expect(found.message).not.toContain("hunter22");
  });

  it("knows the options of the sink and no others", () => {
    expect(() => make("postgres://localhost/hr?store=a")).toThrow(expect.objectContaining({ code: "URL_INVALID" }));
  });

  it("goes on after the server was restarted", async () => {
    const url = await newDatabase();
    const store = make(url);
    try {
      await store.open();
      await store.put("k", 1);
      await run(
        server.url,
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'millrace'",
      );
      // The session that was ended may be noticed by the first call, and by no later one.
      await store.get("k").catch(() => undefined);
      expect(await store.get("k")).toMatchObject({ value: 1 });
    } finally {
      await store.close();
    }
  });

  it("is not used before it is open, nor after", async () => {
    const store = make(await newDatabase());
    await expect(store.get("k")).rejects.toThrow("not open");
    await store.open();
    await store.close();
    await store.close();
    await expect(store.put("k", 1)).rejects.toThrow("not open");
  });
});
