import { afterAll, beforeAll, expect, it } from "vitest";
import { servers } from "../servers/index.ts";
import { describeWith } from "../servers/not-run.ts";
import type { Server } from "../servers/server.ts";
import { lastEvent, Workplace } from "./cli.ts";

describeWith("postgres", "the command line on PostgreSQL", () => {
  let server: Server;
  let place: Workplace;
  let url: string;
  beforeAll(async () => {
    [server, place] = await Promise.all([servers.postgres.start(), Workplace.open()]);
    url = server.url;
    await place.writeEmployees();
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
    await server.stop();
  });

  const load = (...more: string[]) =>
    place.millrace("load", "hired.csv", "--no-header", "--contract", "hired.json", "--to", url, "--lineage", ...more);

  it("loads, once, and reads again", async () => {
    const first = await load("--json");
    expect(first.stderr).toBe("");
    expect(lastEvent(first.stdout)).toMatchObject({
      read: 1999,
      loaded: 1929,
      rejected: 70,
      alreadyLoaded: 0,
      balanced: true,
    });
    expect(lastEvent((await load("--json")).stdout)).toMatchObject({ read: 0, loaded: 0, alreadyLoaded: 1999 });
    const { stdout } = await place.millrace("query", url, "select count(*) as n from hired_employees", "--json");
    expect(JSON.parse(stdout)).toEqual([{ n: 1929 }]);
  });

  it("finds rejects and rows again", async () => {
    const show = await place.millrace("rejects", "list", "--to", url, "--rows", "1");
    expect(show.stdout).toContain("hired.csv:1999");
    expect((await place.millrace("why", "hired_employees", "42", "--to", url)).stdout).toMatch(/^hired\.csv:42\n/);
  });

  it("replays a corrected record", async () => {
    await place.write("fixed.ndjson", '{"id":1,"record":"29,Ada,2021-01-01T00:00:00Z,1,1"}\n');
    const { stdout } = await place.millrace("rejects", "replay", "--with", "fixed.ndjson", "--to", url, "--json");
    expect(lastEvent(stdout)).toMatchObject({ read: 1, loaded: 1, rejected: 0 });
  });

  it("check and doctor find it well", async () => {
    const check = await place.millrace("check", "hired.csv", "--no-header", "--contract", "hired.json", "--to", url);
    expect({ code: check.code, out: check.stdout }).toEqual({ code: 0, out: expect.stringContaining("exactly once") });
    expect(check.stdout).toMatch(/"hired_employees" in .* fits/);
    expect((await place.millrace("doctor", url)).code).toBe(0);
  });

  it("a server that is away is said, without the password, with exit code 3", async () => {
    const away = "postgres://me:hunter2@127.0.0.1:1/hr";
    const { code, stdout, stderr } = await place.millrace("query", away, "select 1");
    expect(code).toBe(3);
    expect(stderr).toContain("error SINK_UNREACHABLE");
    expect(stdout + stderr).not.toContain("hunter2");
  });
});
