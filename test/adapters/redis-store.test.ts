import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { redisReplicas, redisStore } from "../../src/adapters/redis/index.ts";
import { replicasConformance, storeConformance } from "../../src/conformance/index.ts";
import { contentOf, pairsOf, rowsOf } from "../../src/conformance/replicas-scene.ts";
import { MillraceError } from "../../src/core/error.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { ReplicaEntry } from "../../src/ports/replicas.ts";
import { describeWith } from "../servers/not-run.ts";
import { startRedis } from "../servers/redis.ts";
import type { RestartableServer } from "../servers/server.ts";

const context: AdapterContext = {
  engine: { connect: () => Promise.reject(new Error("a store needs no engine")), uniqueName: (prefix) => prefix },
  now: () => Date.now(),
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  notice: () => undefined,
};

async function asked(url: string, ...command: [string, ...(string | number)[]]): Promise<unknown> {
  const redis = new Redis(url, { lazyConnect: true, protocol: 2, replyMapping: "legacy" });
  try {
    await redis.connect();
    return await redis.call(...command);
  } finally {
    redis.disconnect();
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof MillraceError ? error.code : String(error);
}

describeWith("redis", "Redis", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());
  const api = { describe, it, expect };
  const place = () => parsePlace(`${server.url}/3`);
  const dispose = async (): Promise<void> => void (await asked(`${server.url}/3`, "FLUSHDB"));

  storeConformance({
    name: "redis",
    api,
    skips: {},
    create: async () => ({
      store: redisStore(place(), context),
      other: async () => redisStore(place(), context),
      dispose,
    }),
  });

  replicasConformance({
    name: "redis",
    api,
    skips: {},
    create: async () => ({
      replicas: redisReplicas(place(), context),
      other: async () => redisReplicas(place(), context),
      dispose,
    }),
  });

  describe("replicas in Redis", () => {
    it("lie there as others expect them: a list, a hash, a hash of metadata, and nothing that stays behind", async () => {
      const replicas = redisReplicas(place(), context);
      await replicas.open();
      await replicas.write("users", contentOf("a", rowsOf("a", 3), { DF_SHAPE: "[3, 2]" }));
      await replicas.write("users", contentOf("b", rowsOf("b", 2), { DF_SHAPE: "[2, 2]" }));
      await replicas.close();
      const url = `${server.url}/3`;
      expect(await asked(url, "LRANGE", "replica_registry", 0, -1)).toEqual(["users"]);
      expect(await asked(url, "HGETALL", "users")).toEqual(["0", '["b",0]', "1", '["b",1]']);
      expect(await asked(url, "HGETALL", "users.META")).toEqual(["DB_NAME", "b", "DF_SHAPE", "[2, 2]"]);
      expect(await asked(url, "TTL", "users")).toBe(-1);
      expect(((await asked(url, "KEYS", "*")) as string[]).toSorted()).toEqual([
        "millrace:content:users",
        "millrace:order:users",
        "replica_registry",
        "users",
        "users.META",
      ]);
      await dispose();
    });

    it("leave alone what another program keeps under the name", async () => {
      const replicas = redisReplicas(place(), context);
      await replicas.open();
      await asked(`${server.url}/3`, "SET", "sessions", "theirs");
      expect(await codeOf(replicas.write("sessions", contentOf("a", rowsOf("a", 3))))).toBe("SINK_REFUSED");
      expect(await codeOf(replicas.register("sessions", new Map([["A", "b"]])))).toBe("SINK_REFUSED");
      expect(await asked(`${server.url}/3`, "GET", "sessions")).toBe("theirs");
      await replicas.close();
      await dispose();
    });
  });
});

describeWith("redis", "a Redis server that asks who it is", () => {
  it("lets a store in that may do no more than it must, and says which page lists what is missing", async () => {
    const server = await startRedis();
    const storeAs = (user: string) =>
      redisStore(parsePlace(`${server.url.replace("//", `//${user}:SECRET@`)}/3`), context);
    try {
      const rights = ["+eval", "+hget", "+hset", "+incr", "+zadd", "+select"];
      await asked(server.url, "ACL", "SETUSER", "least", "on", ">SECRET", "~millrace:*", ...rights);
      await asked(server.url, "ACL", "SETUSER", "nobody", "on", ">SECRET", "~*", "+select");
      const least = storeAs("least");
      await least.open();
      await least.put("one", 1);
      expect(await least.get("one")).toMatchObject({ value: 1 });
      await least.close();
      const nobody = storeAs("nobody");
      await nobody.open();
      const denied = { code: "SINK_DENIED", remedy: expect.stringContaining("docs/stores.md") };
      await expect(nobody.get("one")).rejects.toMatchObject(denied);
      await nobody.close();
      await expect(nobody.get("one")).rejects.toMatchObject({ code: "INTERNAL" });
    } finally {
      await server.stop();
    }
  });
});

describeWith("redis", "a Redis server in trouble", () => {
  it("that is full, or restarts in the middle, is said, changes nothing, and is used again", async () => {
    const server = await startRedis({ durable: true });
    const replicas = redisReplicas(parsePlace(server.url), context);
    try {
      await replicas.open();
      await replicas.write("t", contentOf("1", rowsOf("1", 20)));
      async function* filling(meanwhile: () => Promise<unknown>): AsyncGenerator<readonly ReplicaEntry[]> {
        yield rowsOf("2", 900).map(([key, value]) => ({ key, value }));
        await meanwhile();
        yield rowsOf("2", 1_800)
          .slice(900)
          .map(([key, value]) => ({ key, value }));
      }
      const write = (meanwhile: () => Promise<unknown>): Promise<number> =>
        replicas.write("t", { id: "2", meta: new Map([["DB_NAME", "2"]]), entries: filling(meanwhile) });

      expect(await codeOf(write(() => asked(server.url, "CONFIG", "SET", "maxmemory", "100kb")))).toBe("SINK_FULL");
      expect(await codeOf(replicas.register("u", new Map([["DB_NAME", "u"]])))).toBe("SINK_FULL");
      expect(await pairsOf(replicas, "t")).toEqual(rowsOf("1", 20));
      await asked(server.url, "CONFIG", "SET", "maxmemory", 0);

      expect(await codeOf(write(() => server.kill9()))).toBe("SINK_UNREACHABLE");
      expect(await codeOf(replicas.names())).toBe("SINK_UNREACHABLE");
      await server.start();
      expect([await replicas.names(), await pairsOf(replicas, "t")]).toEqual([["t"], rowsOf("1", 20)]);
      expect(await write(async () => undefined)).toBe(1_800);
      expect((await pairsOf(replicas, "t")).length).toBe(1_800);
    } finally {
      await replicas.close();
      await server.stop();
    }
  });

  it("that lost rows of a content under way does not show it", async () => {
    const server = await startRedis();
    const replicas = redisReplicas(parsePlace(server.url), context);
    try {
      await replicas.open();
      async function* losing(): AsyncGenerator<readonly ReplicaEntry[]> {
        yield rowsOf("2", 900).map(([key, value]) => ({ key, value }));
        await asked(server.url, "FLUSHALL");
        yield rowsOf("2", 1_000)
          .slice(900)
          .map(([key, value]) => ({ key, value }));
      }
      const content = { id: "2", meta: new Map([["DB_NAME", "2"]]), entries: losing() };
      expect(await codeOf(replicas.write("t", content))).toBe("SINK_REFUSED");
      expect(await asked(server.url, "KEYS", "*")).toEqual([]);
    } finally {
      await replicas.close();
      await server.stop();
    }
  });
});
