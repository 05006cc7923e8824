import { afterAll, beforeAll, expect, it } from "vitest";
import { servers } from "../servers/index.ts";
import { describeWith } from "../servers/not-run.ts";
import type { Server } from "../servers/server.ts";
import { lastEvent, Workplace } from "./cli.ts";

describeWith("mariadb", "the command line on MariaDB", () => {
  let server: Server;
  let place: Workplace;
  let url: string;
  beforeAll(async () => {
    [server, place] = await Promise.all([servers.mariadb.start(), Workplace.open()]);
    url = server.url;
    await place.writeEmployees();
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
    await server.stop();
  });

  const file = () => ["hired.csv", "--no-header", "--contract", "hired.json", "--to", url];
  // A machine that does much else takes seconds to start a process.
  const patient = { timeout: 120_000 };

  it("loads, once", patient, async () => {
    const load = () => place.millrace("load", ...file(), "--lineage", "--json");
    const first = await load();
    expect(first.stderr).toBe("");
    expect(lastEvent(first.stdout)).toMatchObject({ read: 1999, loaded: 1929, rejected: 70, balanced: true });
    expect(lastEvent((await load()).stdout)).toMatchObject({ read: 0, loaded: 0, alreadyLoaded: 1999 });
  });

  it("finds rejects and rows again, and replays a corrected record", patient, async () => {
    const show = await place.millrace("rejects", "list", "--to", url, "--rows", "1");
    expect(show.stdout).toContain("hired.csv:1999");
    expect((await place.millrace("why", "hired_employees", "42", "--to", url)).stdout).toMatch(/^hired\.csv:42\n/);
    await place.write("fixed.ndjson", '{"id":1,"record":"29,Ada,2021-01-01T00:00:00Z,1,1"}\n');
    const replay = await place.millrace("rejects", "replay", "--with", "fixed.ndjson", "--to", url, "--json");
    expect(lastEvent(replay.stdout)).toMatchObject({ read: 1, loaded: 1, rejected: 0 });
    const { stdout } = await place.millrace("query", url, 'select count(*) as n from "hired_employees"', "--json");
    expect(JSON.parse(stdout)).toEqual([{ n: 1930 }]);
  });

  it("check and doctor find it well", patient, async () => {
    const check = await place.millrace("check", ...file());
    expect({ code: check.code, out: check.stdout }).toEqual({ code: 0, out: expect.stringContaining("exactly once") });
    expect(check.stdout).toMatch(/"hired_employees" in .* fits/);
    const doctor = await place.millrace("doctor", url);
    expect({ code: doctor.code, out: doctor.stdout }).toEqual({ code: 0, out: expect.stringContaining("MariaDB 10") });
  });

  it("a server that is away is said, without the password, with exit code 3", patient, async () => {
    const away = "mariadb://me:hunter2@127.0.0.1:1/hr";
    const { code, stdout, stderr } = await place.millrace("query", away, "select 1");
    expect(code).toBe(3);
    expect(stderr).toContain("error SINK_UNREACHABLE");
    expect(stdout + stderr).not.toContain("hunter2");
  });
});
