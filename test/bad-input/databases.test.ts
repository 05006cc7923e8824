import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Subject } from "../crash/processes.ts";
import { withClient } from "../crash/crash-place.ts";
import { describeWith } from "../servers/not-run.ts";
import { freePort, HOST } from "../servers/place.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { Server } from "../servers/server.ts";
import { expectError, expectLoaded, goodLine, Scene } from "./attempt.ts";

const isRoot = process.getuid?.() === 0;
const many = (records: number): string => Array.from({ length: records }, (_, id) => goodLine(id + 1)).join("");

/** A file system of `mib` MiB at `path` while `work` runs. Only root may mount one. */
async function onSmallDisk(path: string, mib: number, work: () => Promise<void>): Promise<void> {
  mkdirSync(path);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mib}m`, "millrace-test", path]);
  try {
    await work();
  } finally {
    execFileSync("umount", [path]);
  }
}

describe("a DuckDB file or a folder that cannot take rows", () => {
  test("in a folder that does not exist", async () => {
    using scene = new Scene();
    expectError(
      await scene.load({ content: goodLine(1), to: `duckdb:${scene.path("no/such/a.db")}` }),
      "FILE_MISSING",
      /folder/,
    );
  });
  test("that is something else", async () => {
    using scene = new Scene();
    const to = `duckdb:${scene.write("text.db", "this is not a database ".repeat(1000))}`;
    expectError(await scene.load({ content: goodLine(1), to }), "FILE_FORMAT", /not a DuckDB file/);
  });
  test.skipIf(!isRoot)(
    "on a disk without room (a small file system, which only root can mount)",
    { timeout: 60_000 },
    async () => {
      using scene = new Scene();
      const disk = scene.path("disk");
      await onSmallDisk(disk, 4, async () => {
        const to = `duckdb:${disk}/small.db`;
        expectError(await scene.load({ content: many(200_000), to }), "SINK_FULL", /room|space/);
        const { ledger } = await scene.kept("hired", to);
        const [row] = await scene.query("select count(*)::int as rows from hired", to);
        expect(row?.["rows"]).toBe(ledger.reduce((sum, { loaded }) => sum + loaded, 0));
      });
    },
  );
  test.skipIf(!isRoot)(
    "a folder on a disk without room (a small file system, which only root can mount)",
    { timeout: 60_000 },
    async () => {
      using scene = new Scene();
      const disk = scene.path("disk");
      await onSmallDisk(disk, 1, async () => {
        const content = Array.from({ length: 300_000 }, (_, id) =>
          goodLine(id).replace("Harold Vogt", `name ${(id * 7919) % 1_000_003} ${id}`),
        ).join("");
        expectError(await scene.load({ content, to: `file:${disk}/out` }), "SINK_FULL", /room|space|full/i);
      });
    },
  );
  test.skipIf(isRoot)("that is read-only (root may write it all the same)", async () => {
    using scene = new Scene();
    await scene.load({ content: goodLine(1) });
    chmodSync(scene.path("bad.duckdb"), 0o444);
    expectError(await scene.load({ content: goodLine(2) }), "SINK_READ_ONLY", /read-only|written/);
  });
});

describeWith("postgres", "a PostgreSQL that cannot take rows", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  const as = (role: string): string => {
    const url = new URL(server.url);
    url.username = role;
    url.password = "secret-of-the-role";
    return url.href;
  };

  async function makeRole(role: string, statements: readonly string[] = []): Promise<string> {
    await withClient(server.url, async (client) => {
      await client.query(`create role ${role} login password 'secret-of-the-role'`);
      for (const statement of statements) await client.query(statement);
    });
    return as(role);
  }

  test("that is not there", async () => {
    using scene = new Scene();
    const to = `postgres://me:secret-of-the-role@${HOST}:${await freePort()}/postgres`;
    const outcome = await scene.load({ content: goodLine(1), to });
    expectError(outcome, "SINK_UNREACHABLE", /ECONNREFUSED/);
    expect(`${outcome.error?.message}`).not.toContain("secret-of-the-role");
  });
  test("whose database is not there", async () => {
    using scene = new Scene();
    const to = server.url.replace(/\/postgres$/, "/nowhere");
    expectError(await scene.load({ content: goodLine(1), to }), "SINK_UNREACHABLE", /nowhere/);
  });
  test("that knows another password", async () => {
    using scene = new Scene();
    const outcome = await scene.load({ content: goodLine(1), to: as("nobody_known") });
    expectError(outcome, "SINK_DENIED", /password/);
    expect(outcome.error?.message).not.toContain("secret-of-the-role");
  });
  test("for a role that may create nothing", async () => {
    using scene = new Scene();
    const to = await makeRole("may_not_create", ["revoke create on schema public from public"]);
    expectError(await scene.load({ content: goodLine(1), to }), "SINK_DENIED", /permission denied/);
  });
  test("for a role that may not insert", async () => {
    using scene = new Scene();
    const to = await makeRole("may_not_insert", [
      "create schema granted",
      "grant usage, create on schema granted to may_not_insert",
      "create table granted.hired (id int, name text, datetime timestamp, department_id int)",
      "grant select on granted.hired to may_not_insert",
    ]);
    expectError(
      await scene.load({ content: goodLine(1), to: `${to}?schema=granted` }),
      "SINK_DENIED",
      /permission denied/,
    );
  });
  test("that is set to read only", async () => {
    using scene = new Scene();
    const to = await makeRole("reads_only", [
      "create schema readable",
      "grant usage, create on schema readable to reads_only",
      "alter role reads_only set default_transaction_read_only = on",
    ]);
    expectError(await scene.load({ content: goodLine(1), to: `${to}?schema=readable` }), "SINK_READ_ONLY", /read-only/);
  });
  test.skipIf(!isRoot)(
    "whose disk has no room (a small file system, which only root can mount)",
    { timeout: 90_000 },
    async () => {
      using scene = new Scene();
      // The server's account must get there.
      chmodSync(scene.folder, 0o755);
      await onSmallDisk(scene.path("disk"), 12, async () => {
        execFileSync("chown", ["postgres", scene.path("disk")]);
        chmodSync(scene.path("disk"), 0o700);
        await withClient(server.url, (client) =>
          client.query(`create tablespace small location '${scene.path("disk")}'`),
        );
        await withClient(server.url, (client) => client.query("create database full_disk tablespace small"));
        const to = server.url.replace(/\/postgres$/, "/full_disk");
        expectError(await scene.load({ content: many(300_000), to, patienceMs: 2_000 }), "SINK_FULL", /space/);
        await withClient(server.url, (client) => client.query("drop database if exists full_disk with (force)"));
        await withClient(server.url, (client) => client.query("drop tablespace small"));
      });
    },
  );
  test("that comes back while the load waits for it", { timeout: 60_000 }, async () => {
    using scene = new Scene();
    const own = await startPostgres();
    try {
      await own.halt();
      let up: Promise<void> | undefined;
      const onEvent = ({ event }: { event: string }): void => {
        if (event === "waiting") up ??= own.start();
      };
      const outcome = await scene.load({ content: goodLine(1), to: own.url, onEvent, patienceMs: 50_000 });
      await up;
      await expectLoaded(scene, outcome, { read: 1, rejected: 0 }, "hired", own.url);
    } finally {
      await own.stop();
    }
  });
});

describe("the command line ends as documented, with one line of JSON and no inside of the program", () => {
  const cases = [
    { title: "a missing file", args: ["nothing.csv", "--to", "duckdb:a.db"], code: 1, error: "FILE_MISSING" },
    { title: "an unknown flag", args: ["x.csv", "--too", "duckdb:a.db"], code: 2, error: "USAGE" },
    { title: "no destination", args: ["x.csv"], code: 2, error: "USAGE" },
    { title: "an unknown scheme", args: ["package.json", "--to", "oracle://x/y"], code: 2, error: "SCHEME_UNKNOWN" },
    {
      title: "a contract that is missing",
      args: ["package.json", "--contract", "no.json", "--to", "duckdb:a.db"],
      code: 2,
      error: "USAGE",
    },
  ];
  test.each(cases)("$title", async ({ args, code, error }) => {
    const ending = await new Subject("src/cli/main.ts", ["load", ...args, "--json"]).ended;
    expect(ending.events.at(-1)).toMatchObject({ event: "error", code: error, remedy: expect.any(String) as string });
    expect(ending.code).toBe(code);
    expect(JSON.stringify(ending.events) + ending.stderr).not.toMatch(/\n\s+at /);
  });
});
