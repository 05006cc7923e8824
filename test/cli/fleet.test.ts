import { describe, expect, it } from "vitest";
import { freePort } from "../servers/place.ts";
import { ended, lastEvent, lineWith, Workplace } from "./cli.ts";

describe("millrace fleet", () => {
  it("ends with as many rows as events were answered, although the server is killed on the way", async () => {
    await using place = await Workplace.open();
    const port = String(await freePort());
    const start = (): ReturnType<Workplace["start"]> =>
      place.start(["start", "--port", port, "--data", place.path("data"), "--apps", "fleet"]);
    let server = start();
    await lineWith(server, `http://127.0.0.1:${port}`);
    const driving = ended(
      place.start([
        "fleet",
        "--vehicles",
        "40",
        "--delay",
        "0.3",
        "--for",
        "8s",
        "--json",
        "--host",
        `http://127.0.0.1:${port}`,
      ]),
    );
    for (let kills = 0; kills < 2; kills += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1_500)); // under load, as somebody would pull the plug
      server.kill("SIGKILL");
      server = start();
      await lineWith(server, `http://127.0.0.1:${port}`);
    }
    const { code, stdout, stderr } = await driving;
    expect(code, stderr).toBe(0);
    const { sent, answered, failed } = lastEvent(stdout) as unknown as Record<string, number>;
    expect(failed).toBe(0);
    expect(answered).toBe(sent);
    expect(answered).toBeGreaterThan(100);
    const count = async (sql: string): Promise<number> => {
      const { stdout: rows } = await place.millrace(
        "query",
        `duckdb:${place.path("data/fleet.duckdb")}`,
        sql,
        "--json",
      );
      return Number((JSON.parse(rows) as { n: number }[])[0]?.n);
    };
    let rows = 0;
    const deadline = Date.now() + 60_000;
    while (rows < (answered ?? 0) && Date.now() < deadline) rows = await count("select count(*) as n from diag");
    expect(rows).toBe(answered);
    const unbalanced =
      'select count(*) as n from millrace_ledger where "read" <> loaded + merged + filtered + rejected';
    expect(await count(unbalanced)).toBe(0);
    server.kill("SIGTERM");
    expect(await new Promise((resolve) => server.once("close", resolve))).toBe(0);
  }, 180_000);

  it("says what is wrong with its options", async () => {
    await using place = await Workplace.open();
    for (const args of [
      ["--delay", "0"],
      ["--for", "soon"],
      ["--vehicles", "none"],
    ]) {
      expect((await place.millrace("fleet", ...args)).code).toBe(2);
    }
  });
});
