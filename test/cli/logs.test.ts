import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { startNats } from "../servers/nats.ts";
import { describeWith } from "../servers/not-run.ts";
import { startRedis } from "../servers/redis.ts";
import { lastEvent, Workplace } from "./cli.ts";

const api = join(import.meta.dirname, "..", "..", "src", "index.ts");

/** A folder with a pipeline `orders` from a log into a DuckDB file, with lineage. */
async function projectOver(from: string): Promise<Workplace> {
  const place = await Workplace.open();
  const store = place.path("node_modules/millrace");
  await mkdir(join(place.folder, "node_modules"));
  await mkdir(place.path("from-source"));
  await writeFile(place.path("from-source/package.json"), '{"name":"millrace","type":"module","exports":"./index.ts"}');
  await writeFile(place.path("from-source/index.ts"), `export * from ${JSON.stringify(api)};\n`);
  await symlink(place.path("from-source"), store);
  await place.write("package.json", '{"type":"module"}');
  await place.write(
    "orders.ts",
    `import { integer, pipeline, table, text } from "millrace";
const orders = table("orders", { id: integer().key(), name: text() });
export default pipeline("orders").from("${from}").check(orders).to("duckdb:o.db", { lineage: true });`,
  );
  return place;
}

const to = ["--to", "duckdb:o.db"];

describeWith("redis", "a pipeline over a stream of Redis", () => {
  it("is checked and run, and names offsets up to 2^63 - 1 exactly, in rejects, lineage and checkpoint", async () => {
    const server = await startRedis();
    try {
      const url = `${server.url}/0?stream=orders`;
      await using place = await projectOver(url);
      const missing = await place.millrace("doctor", url);
      expect(missing).toMatchObject({ code: 0, stdout: expect.stringContaining("none is there yet") });
      // The last offsets that there can be: 2^42 - 1 ms, and the sequences before 2^21 - 1.
      const redis = new Redis(server.url);
      const add = (seq: number, ...fields: string[]) => redis.xadd("orders", `4398046511103-${seq}`, ...fields);
      await add(2_097_148, "id", "1", "name", "a");
      await add(2_097_149, "id", "x", "name", "b");
      await add(2_097_150, "id", "3", "name", "c");
      await redis.quit();
      const check = await place.millrace("check", "orders.ts");
      expect(check).toMatchObject({ code: 0, stdout: expect.stringContaining("of its first 3 records 1 would be") });

      const run = await place.millrace("run", "orders.ts", "--once", "--json");
      expect(lastEvent(run.stdout)).toMatchObject({ event: "done", read: 3, loaded: 2, rejected: 1, balanced: true });
      const [first, bad, last] = [2n ** 63n - 4n, 2n ** 63n - 3n, 2n ** 63n - 2n].map(String);
      const kept = await place.millrace("rejects", "list", ...to, "--json");
      expect(kept.stdout).toContain(`"offset":"${bad}"`);
      expect((await place.millrace("why", "orders", "1", ...to)).stdout).toMatch(new RegExp(`^orders/0:${first}\n`));
      const traced = lastEvent((await place.millrace("why", "orders", "3", ...to, "--json")).stdout);
      expect(traced).toMatchObject({ source: "orders/0", offset: last, exact: true });
      expect((await place.millrace("why", `orders/0:${bad}`, ...to)).stdout).toMatch(/became {4}reject \d+ \(open\)/);
      expect((await place.millrace("why", `orders/0:${last}`, ...to)).stdout).toContain("became    a row of orders");
      const positions = "select position from millrace_checkpoint where pipeline = 'orders'";
      expect((await place.millrace("query", "duckdb:o.db", positions, "--json")).stdout).toContain(
        String(2n ** 63n - 1n),
      );
      expect(lastEvent((await place.millrace("run", "orders.ts", "--once", "--json")).stdout)).toMatchObject({
        read: 0,
      });
      expect((await place.millrace("doctor", url)).stdout).toContain("1, with 3 records appended so far");
    } finally {
      await server.stop();
    }
  }, 120_000);
});

/** Whoever starts the server asks it without a password whether it is there. */
const users = `
no_auth_user: anyone
authorization { users: [{ user: anyone, password: anyone }, { user: me, password: s3cret }] }`;

describeWith("nats", "a pipeline over streams of JetStream", () => {
  it("is checked and run, and the password in its URL is shown nowhere", async () => {
    const server = await startNats({ settings: users });
    try {
      const url = `${server.url.replace("//", "//me:s3cret@")}/orders?lanes=2`;
      await using place = await projectOver(url);
      const said = [];
      for (const args of [
        ["doctor", url],
        ["check", "orders.ts"],
        ["run", "orders.ts", "--once"],
        ["doctor", url],
      ]) {
        said.push(await place.millrace(...args));
      }
      expect(said.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
      expect(said[3]?.stdout).toContain("2, with 0 records appended so far");
      expect(said.map(({ stdout, stderr }) => stdout + stderr).join()).not.toContain("s3cret");
    } finally {
      await server.stop();
    }
  }, 120_000);
});

describe("the embedded log", () => {
  it("is looked at by doctor, and not made by that", async () => {
    await using place = await projectOver("log:./stream?lanes=3");
    const look = async (): Promise<string> => (await place.millrace("doctor", "log:./stream")).stdout;
    expect([await look(), await look()].join()).toMatch(/none is there yet[^]*none is there yet/);
    await place.millrace("run", "orders.ts", "--once");
    expect(await look()).toContain("3, with 0 records appended so far");
  }, 60_000);
});
