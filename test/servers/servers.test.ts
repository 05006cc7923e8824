import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { available, type RestartableServer, ServiceMissing, serverNames, servers } from "./index.ts";
import { startKafka } from "./kafka.ts";
import { heldFolders } from "./keep.ts";
import { describeWith } from "./not-run.ts";
import { startPostgres } from "./postgres.ts";
import { startRabbitmq } from "./rabbitmq.ts";
import { startRedis } from "./redis.ts";
import { startS3 } from "./s3.ts";
import { gone, treeOf } from "./tree.ts";

const SLOW_MS = 120_000;

function listens(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url.split(",")[0] ?? url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => resolve(true));
    socket.once("connect", () => socket.destroy());
    socket.once("error", () => resolve(false));
  });
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

afterEach(() => {
  vi.unstubAllEnvs();
});

for (const name of serverNames) {
  describeWith(name, name, () => {
    test("answers, and is gone after stop", { timeout: SLOW_MS }, async () => {
      const { start, ask } = servers[name] as unknown as {
        start: () => Promise<RestartableServer>;
        ask: (server: RestartableServer) => Promise<string>;
      };
      const before = new Set(heldFolders());
      const server = await start();
      const { pid, url } = server;
      const mine = heldFolders().filter((folder) => !before.has(folder));
      expect(await ask(server)).not.toBe("");
      await server.stop();
      if (pid === undefined) return; // Somebody else's server: it stays.
      expect(await listens(url)).toBe(false);
      expect(treeOf(pid)).toEqual([]);
      expect(mine.length).toBeGreaterThan(0);
      expect(mine.filter((folder) => existsSync(folder))).toEqual([]);
    });
  });
}

describeWith("postgres", "a postgres that dies", () => {
  test("comes back at the same place with what was committed", async () => {
    const server = await startPostgres({ durable: true });
    try {
      await query(server.url, "create table t as select 1 as n");
      await server.kill9();
      expect(await listens(server.url)).toBe(false);
      await server.start();
      expect(await query(server.url, "select n from t")).toEqual([{ n: 1 }]);
      await server.halt();
      expect(server.pid).toBeUndefined();
      await server.start();
      expect(await query(server.url, "select n from t")).toEqual([{ n: 1 }]);
    } finally {
      await server.stop();
    }
  });

  test("leaves nobody waiting: its sessions die with it", async () => {
    const server = await startPostgres();
    const client = new Client({ connectionString: server.url });
    // The client tells the loss more than once.
    const lost = new Promise((resolve) => client.on("error", resolve));
    try {
      await client.connect();
      await server.kill9();
      expect(await lost).toBeInstanceOf(Error);
    } finally {
      await server.stop();
    }
  });
});

describe("the postgres of npm", () => {
  test("runs without one on the system", async () => {
    const server = await startPostgres({ embedded: true, settings: { work_mem: "1MB" } });
    try {
      expect(await query(server.url, "show work_mem")).toEqual([{ work_mem: "1MB" }]);
      await server.restart();
      const [{ version }] = (await query(server.url, "select version()")) as [{ version: string }];
      expect(version).toContain("PostgreSQL 18");
    } finally {
      await server.stop();
    }
  });
});

describeWith("kafka", "a kafka of three brokers", () => {
  test("knows all three and survives the death of one", { timeout: SLOW_MS }, async () => {
    const cluster = await startKafka({ brokers: 3 });
    try {
      expect(cluster.url.split(",")).toHaveLength(3);
      const [, second] = cluster.brokers;
      await second?.kill9();
      expect(await servers.kafka.ask(cluster)).toMatch(/creates a topic/);
      await second?.start();
    } finally {
      await cluster.stop();
    }
  });
});

describeWith("rabbitmq", "a rabbitmq that dies", () => {
  test("comes back and takes its name server along", { timeout: SLOW_MS }, async () => {
    const server = await startRabbitmq();
    try {
      const tree = treeOf(server.pid ?? 0);
      await server.kill9();
      await gone(tree, 0);
      await server.start();
      expect(await servers.rabbitmq.ask(server)).toMatch(/passes a message/);
    } finally {
      await server.stop();
    }
  });
});

describeWith("redis", "a server whose start or test goes wrong", () => {
  // Of its own: other tests have servers of the kind at the same time.
  let place: string;

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), "millrace-place-"));
    // Servers that run as somebody else must get through.
    chmodSync(place, 0o755);
    vi.stubEnv("TMPDIR", place);
  });

  afterEach(() => rmSync(place, { recursive: true, force: true }));

  test("says in the error what the server said", async () => {
    await expect(startRedis({ settings: { maxmemory: "lots" } })).rejects.toThrow(/argument must be a memory value/);
    expect(readdirSync(place)).toEqual([]);
  });

  test("ends with the test process, even one that is killed", async () => {
    const path = fileURLToPath(new URL("./fixtures/orphan.ts", import.meta.url));
    const outcome = (await promisify(execFile)(process.execPath, [path]).catch((error: unknown) => error)) as {
      signal: string;
      stdout: string;
    };
    expect(outcome.signal).toBe("SIGKILL");
    await vi.waitFor(
      () => {
        expect(treeOf(Number(outcome.stdout))).toEqual([]);
        expect(readdirSync(place)).toEqual([]);
      },
      { timeout: 10_000 },
    );
  });
});

describe("a server that is not ours", () => {
  test("is used, and neither stopped nor killed", async () => {
    vi.stubEnv("MILLRACE_TEST_MYSQL_URL", "mysql://somebody@db.test/theirs");
    expect(available("mariadb")).toBe(true);
    const server = await servers.mariadb.start();
    expect(server.url).toBe("mysql://somebody@db.test/theirs");
    await server.stop();
    await expect(server.kill9()).rejects.toThrow("MILLRACE_TEST_MYSQL_URL");
  });

  test("is missed by its name when there is none", async () => {
    vi.stubEnv("MILLRACE_SERVICES_DIR", dirname(fileURLToPath(import.meta.url)));
    vi.stubEnv("MILLRACE_TEST_S3_URL", "");
    vi.stubEnv("PATH", "");
    expect(available("s3")).toBe(false);
    const error: unknown = await startS3().catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ServiceMissing);
    expect((error as ServiceMissing).service).toBe("s3");
  });
});
