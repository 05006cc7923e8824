// The sequence of the callers' own scripts, with curl as they call it.
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { Redis } from "ioredis";
import { describeWith } from "../../servers/not-run.ts";
import { findProgram } from "../../servers/program.ts";
import { startRedis } from "../../servers/redis.ts";
import { curl, ReplicasScene, usersCsv } from "./scene.ts";

const tries = { skip: findProgram("curl") === undefined };

async function playSequence(...flags: readonly string[]): Promise<void> {
  await using scene = await ReplicasScene.open(...flags);
  const { url } = scene.served.server;
  const [get, post] = [
    (path: string) => curl(`${url}${path}`),
    (path: string, body: string) => curl("-X", "POST", "-d", body, `${url}${path}`),
  ];
  await scene.write("sample_us_users.csv", usersCsv(5000, 96));
  await scene.announce("sample_us_users.csv", { prim_index: "ID" });
  await scene.write("AVATAR_SAMPLE.jsonl", '{"kpp":1,"key":1,"sum":2.5}\n{"kpp":2,"key":2,"sum":null}\n');
  await scene.announce("AVATAR_SAMPLE.jsonl");

  expect(await get("/register_replicas")).toBe('{"registry":"blocked"}');
  const json = ["-H", "Content-Type: application/json", "-X", "POST"];
  const wrong = `{"md5_key":"${"A".repeat(43)}"}`;
  expect(await curl(...json, "-d", wrong, `${url}/check_fingerprint`)).toBe(
    '{"auth_status":"denied","isApprovedSession":false}',
  );
  const right = `{"md5_key":"${scene.key.fingerprint}"}`;
  expect(await curl(...json, "-d", right, `${url}/check_fingerprint`)).toBe(
    '{"auth_status":"approved","isApprovedSession":true}',
  );
  expect(await get("/register_replicas")).toBe('{"registry":"success"}');
  expect(await get("/stop_calling_registry")).toBe("null");
  expect((await scene.ticket("sample_us_users"))["status"]).toBe("REGISTERED");
  const names = await get("/getRegisteredReplics");
  expect(["sample_us_users, AVATAR_SAMPLE", "AVATAR_SAMPLE, sample_us_users"]).toContain(
    (JSON.parse(names) as Record<string, string>)["LIST_OF_REGISTERED_REPLICS"],
  );

  const loaded = await post("/loadDf2redis", "?email=somebody@example.org&force_reload=0");
  expect(loaded).toMatch(
    /^\{"file_name":"sample_us_users.csv","status":"PROCESSED","load_dttm":"\d{4}-\d\d-\d\d:\d\d:\d\d:\d\d"\}$/,
  );
  const ticket = await readFile(scene.path("sample_us_users.ticket"), "utf8");
  expect(ticket).toBe(
    `{\n    "file_name": "sample_us_users.csv",\n    "status": "PROCESSED",\n    "load_dttm": "${(JSON.parse(loaded) as Record<string, string>)["load_dttm"]}",\n    "prim_index": "ID"\n}`,
  );
  const address = JSON.stringify('{"city": "Town 0", "state": "California"}');
  expect(await post("/getTopNFromReplica", "?replica=sample_us_users&topn=1")).toBe(`{"96":[${address},"2022-02-01"]}`);
  const all = await post("/getTopNFromReplica", "?replica=sample_us_users&topn=-1");
  const order = Array.from(all.matchAll(/"(\d+)":\[/g), ([, key]) => Number(key));
  expect(order).toEqual(Array.from({ length: 5000 }, (_, row) => 96 + row));
  expect(Object.keys(JSON.parse(await post("/getTopNFromReplica", "?replica=sample_us_users")) as object)).toHaveLength(
    10,
  );
  expect(await post("/getTopNFromReplica", "?replica=nobody&topn=5")).toBe("{}");
  expect(await post("/getReplicaColumns", "?replica=sample_us_users")).toBe('["id","address","inserted_at"]');
  // Without a key it is the MD5 of the row's number.
  expect(await post("/getTopNFromReplica", "?replica=AVATAR_SAMPLE")).toBe(
    '{"cfcd208495d565ef66e7dff9f98764da":[1,1,2.5],"c4ca4238a0b923820dcc509a6f75849b":[2,2,2.5]}',
  );

  expect(await post("/clearRedisCache", "?replica=AVATAR_SAMPLE&remove=False")).toBe('{"clear_cache":"success"}');
  expect(await post("/getTopNFromReplica", "?replica=AVATAR_SAMPLE")).toContain("[1,1,2.5]");
  expect(await post("/clearRedisCache", "?replica=AVATAR_SAMPLE&remove=True")).toBe('{"clear_cache":"success"}');
  expect(await post("/getTopNFromReplica", "?replica=AVATAR_SAMPLE")).toBe("{}");
  expect(await get("/unregister_replicas")).toBe('{"unregistry":"success"}');
  expect(await get("/getRegisteredReplics")).toBe('{"LIST_OF_REGISTERED_REPLICS":"EMPTY"}');
  expect((await scene.ticket("sample_us_users"))["status"]).toBe("READY");
}

describe("the scripts of callers", tries, () => {
  it("work on the embedded store", () => playSequence(), 120_000);
});

describeWith("redis", "the scripts of callers", () => {
  it.skipIf(tries.skip)(
    "work on Redis, and leave there what readers of the cache expect",
    async () => {
      const server = await startRedis();
      const redis = new Redis(server.url, { lazyConnect: true, protocol: 2, replyMapping: "legacy" });
      try {
        await redis.connect();
        await playSequence(`replicas.store=${server.url}/0`);
        expect(await redis.call("EXISTS", "replica_registry", "sample_us_users", "sample_us_users.META")).toBe(0);

        await using scene = await ReplicasScene.open(`replicas.store=${server.url}/1`);
        await scene.write("parts.csv", "Code,kpp,key,same,gap\n007,1,1,x,\n008,2,2,x,5\n009,3,3,x,\n");
        await scene.announce("parts.csv", { prim_index: "code" });
        await scene.load();
        await redis.call("SELECT", 1);
        expect(await redis.call("LRANGE", "replica_registry", 0, -1)).toEqual(["parts"]);
        expect(await redis.call("HGET", "parts", "008")).toBe('[2,2,"x",5]');
        const meta = (await redis.call("HGETALL", "parts.META")) as string[];
        const pairs = meta.flatMap((name, at) => (at % 2 === 0 ? [[name, meta[at + 1]] as const] : []));
        const { LOAD_DTTM: time, FROMFPATH: from, ...others } = Object.fromEntries(pairs);
        expect(time).toMatch(/^\d{4}-\d\d-\d\d:\d\d:\d\d:\d\d$/);
        expect(from).toBe(scene.path("parts.csv"));
        expect(others).toEqual({
          DB_NAME: "parts",
          FILESIZE: "56.0 bytes",
          COLUMNS: '["Code","kpp","key","same","gap"]',
          DF_SHAPE: "[3, 5]",
          ZERO_STD_COLS: '["same"]',
          ZERO_STD_COLS_VALUES: '{"same":["x"]}',
          DUPLICATED_COLS: '{"kpp":["key"]}',
          MISSING_DATA_COL_NAMES: '["gap"]',
          MISSING_DATA_COUNT: "[2]",
        });
      } finally {
        redis.disconnect();
        await server.stop();
      }
    },
    120_000,
  );
});
