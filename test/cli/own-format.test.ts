import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { points, pointsText } from "../formats/points.ts";
import { lastEvent, Workplace } from "./cli.ts";

const root = join(import.meta.dirname, "..", "..");

const pipelineText = `
import { decimal, integer, pipeline, table } from ${JSON.stringify(join(root, "src", "index.ts"))};
import { points } from ${JSON.stringify(join(root, "test", "formats", "points.ts"))};

const place = table("place", {
  latitude: decimal(11, 8).key(), longitude: decimal(11, 8).key(), timestamp: integer(),
});
export default pipeline("points").from("data_points_*.txt", { format: points }).check(place).to("duckdb:geo.duckdb");
`;

let place: Workplace;
beforeAll(async () => {
  place = await Workplace.open();
  await mkdir(place.path("pipelines"));
  await symlink(join(root, "node_modules"), place.path("node_modules"));
  await writeFile(place.path("package.json"), '{"type":"module"}');
  await place.write("pipelines/points.ts", pipelineText);
});
afterAll(() => place[Symbol.asyncDispose]());

const rows = async (sql: string): Promise<unknown> => {
  const { stdout } = await place.millrace("query", "duckdb:geo.duckdb", sql, "--json");
  return JSON.parse(stdout);
};

it("a pipeline reads a format of its own, keeps each fault with its line, and replays it corrected, once", {
  timeout: 120_000,
}, async () => {
  const { text, rejects } = pointsText(200);
  const [first = 0] = rejects;
  await place.write("data_points_20180101.txt", text);
  const run = await place.millrace("run", "points", "--once", "--json");
  expect(run.stderr).toBe("");
  expect(lastEvent(run.stdout)).toMatchObject({ read: 200, rejected: rejects.length });

  const list = await place.millrace("rejects", "list", "--to", "duckdb:geo.duckdb");
  for (const line of rejects) expect(list.stdout).toContain(`data_points_20180101.txt:${line}`);
  expect(list.stdout).toContain("a longitude without its latitude");

  const why = await place.millrace("why", `data_points_20180101.txt:${first}`, "--to", "duckdb:geo.duckdb");
  expect(why.stdout).toContain("a longitude without its latitude");

  const lost = "Latitude: 0 -1.5\nLongitude: 0 -2.5\nDistance: 1 km\n";
  expect(points.read(lost.split("\n"), "").values).toEqual(["-1.5", "-2.5", null]);
  await place.write("fixed.txt", lost);
  const fix = ["rejects", "replay", "1", "--with", "fixed.txt", "--to", "duckdb:geo.duckdb"];
  expect((await place.millrace(...fix)).stdout).toContain("replayed 1 = loaded 1");
  expect((await place.millrace(...fix)).stderr).toContain("replayed already");
  // The file's name is kept with a reject, as what is read from it belongs to the record.
  expect(await rows("select timestamp, count(*) as n from place group by timestamp")).toEqual([
    { timestamp: 20180101, n: 200 - rejects.length + 1 },
  ]);

  const again = await place.millrace("run", "points", "--once", "--json");
  expect(lastEvent(again.stdout)).toMatchObject({ read: 0 });
});
