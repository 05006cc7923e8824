// What the HR application does beside its contract's routes: checks of references, schedules, a full disk.
import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { applications } from "../../apps/index.ts";
import { employeesCsv } from "../../scripts/sample-data.ts";
import { basic, ServedScene } from "./scene.ts";

async function upload(scene: ServedScene, name: string, text: string): Promise<Response> {
  const body = new FormData();
  body.append("file", new Blob([text]), name);
  return scene.post("/upload", { body, headers: basic("ada") });
}

describe("references", () => {
  it("to what is not there are accepted, and reported until it comes", async () => {
    await using scene = await ServedScene.open(applications, "http.rateLimit=0");
    await scene.addUser("ada", "admin");
    const unknown = async (): Promise<unknown> => (await scene.get("/insights/UNKNOWN_REFERENCES")).json();
    await upload(scene, "hired_employees.csv", "2,Bo,2021-02-03T04:05:06Z,7,9\n1,Ada,2021-02-03T04:05:06Z,1,9\n");
    await upload(scene, "departments.csv", "1,Mill\n");
    expect(await unknown()).toEqual([
      { id: 1, reference: "job_id", value: 9 },
      { id: 2, reference: "department_id", value: 7 },
      { id: 2, reference: "job_id", value: 9 },
    ]);
    await upload(scene, "jobs.csv", "9,Miller\n");
    expect(await unknown()).toEqual([{ id: 2, reference: "department_id", value: 7 }]);
  });
});

describe("backups by schedule", () => {
  it("are made of every table and pruned", async () => {
    await using scene = await ServedScene.open(
      applications,
      ...["http.rateLimit=0", "hr.backupSchedule=* * * * * *", "hr.backupKeep=2"],
    );
    await scene.addUser("ada", "reader");
    const versions = async (): Promise<string[]> => {
      const answer = await scene.get("/backups", basic("ada"));
      const all = (await answer.json()) as { table: string; version: string; state: string }[];
      return all.filter(({ state }) => state === "complete").map(({ table, version }) => `${table} ${version}`);
    };
    const seen = new Set<string>();
    await vi.waitFor(
      async () => {
        for (const version of await versions()) seen.add(version);
        expect(seen.size).toBeGreaterThanOrEqual(9);
      },
      { timeout: 30_000, interval: 200 },
    );
    expect((await versions()).filter((version) => version.startsWith("jobs ")).length).toBeLessThanOrEqual(3);
    expect(new Set(Array.from(seen, (version) => version.split(" ")[0]))).toEqual(
      new Set(["departments", "jobs", "hired_employees"]),
    );
  }, 60_000);
});

/** Only root can have a disk of a few megabytes. */
const canMount = process.getuid?.() === 0 && process.platform === "linux";

describe.skipIf(!canMount)("a disk that is full (root alone can make a small one)", () => {
  it("is answered with 503, and uploads go on when there is room", async () => {
    const folder = execFileSync("mktemp", ["-d"], { encoding: "utf8" }).trim();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", folder]);
    try {
      await using scene = await ServedScene.open(applications, "http.rateLimit=0", `hr.to=duckdb:${folder}/hr.duckdb`);
      await scene.addUser("ada", "admin");
      expect((await upload(scene, "jobs.csv", "1,Baker\n")).status).toBe(200);
      const filler = join(folder, "filler");
      execFileSync("sh", ["-c", `dd if=/dev/zero of=${filler} bs=64k 2>/dev/null || true`]);
      const refused = await upload(scene, "hired_employees.csv", employeesCsv({ rows: 1000, bad: 0 }));
      expect([refused.status, await refused.json()]).toEqual([503, expect.objectContaining({ code: "SINK_FULL" })]);
      await rm(filler);
      const taken = await upload(scene, "hired_employees.csv", employeesCsv({ rows: 1000, bad: 0 }));
      expect([taken.status, await taken.json()]).toEqual([200, expect.objectContaining({ nrows_inserted: 1000 })]);
    } finally {
      execFileSync("umount", ["-l", folder]);
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);
});
