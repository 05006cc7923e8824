import { readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backUp, backupsOf, hiredRows, inFolder, keptFiles, restore, uploadHired } from "./backups.ts";
import { hiredLines } from "./hired.ts";
import { serving } from "./places.ts";
import { admin } from "./service.ts";

describe("a damaged backup", () => {
  const hr = serving(() => inFolder);
  let rows: readonly unknown[];

  beforeEach(async () => {
    await rm(hr().workplace.path("kept"), { recursive: true, force: true });
    await uploadHired(hr(), hiredLines(1, 300));
    await backUp(hr(), "hired_employees");
    await uploadHired(hr(), hiredLines(1, 100).replaceAll("Vimi", "Later"));
    rows = await hiredRows(hr());
  });
  afterEach(async () => {
    expect(await hiredRows(hr())).toEqual(rows);
  });

  const isData = (path: string): boolean => /\.(parquet|avro)$/.test(path);

  async function flip(path: string, at: number): Promise<void> {
    const bytes = await readFile(path);
    const index = Math.floor(bytes.length * at);
    bytes.writeUInt8((bytes.at(index) ?? 0) ^ 0x10, index);
    await writeFile(path, bytes);
  }

  async function expectRefused(): Promise<void> {
    const { status } = await restore(hr(), "hired_employees");
    expect(status).toBeGreaterThanOrEqual(400);
    // And the service goes on.
    expect((await hr().request("/insights?table=HIRES_DEPARTMENT_JOB")).status).toBe(200);
  }

  it.each([0.2, 0.8])("one bit, at %d of its length, changes nothing", async (at) => {
    for (const path of (await keptFiles(hr())).filter(isData)) await flip(path, at);
    await expectRefused();
  });

  it("a file cut short changes nothing", async () => {
    for (const path of (await keptFiles(hr())).filter(isData)) await truncate(path, 200);
    await expectRefused();
  });

  it("a file that is gone changes nothing", async () => {
    for (const path of (await keptFiles(hr())).filter(isData)) await rm(path);
    await expectRefused();
  });

  it.each([
    { title: "emptied", content: "" },
    { title: "cut short", content: '{"table":"hired_employees","ro' },
    { title: "null", content: "null" },
  ])("a manifest that is $title changes nothing", async ({ content }) => {
    for (const path of await keptFiles(hr())) if (path.endsWith(".json")) await writeFile(path, content);
    await expectRefused();
    expect(Array.isArray(await backupsOf(hr()))).toBe(true);
  });

  it("a manifest that counts other rows changes nothing", async () => {
    for (const path of await keptFiles(hr())) {
      if (path.endsWith(".json")) await writeFile(path, (await readFile(path, "utf8")).replaceAll("300", "299"));
    }
    await expectRefused();
  });

  it("a backup of another table in its place changes nothing", async () => {
    await hr().uploaded({ name: "jobs.csv", content: "1,Miller\n" });
    await backUp(hr(), "jobs");
    const paths = (await keptFiles(hr())).filter(isData);
    for (const ending of [".parquet", ".avro"]) {
      const [from, to] = ["jobs", "hired_employees"].map((table) =>
        paths.find((path) => path.endsWith(ending) && path.includes(table)),
      );
      if (from !== undefined && to !== undefined) await writeFile(to, await readFile(from));
    }
    await expectRefused();
  });
});

describe("a backup in a place that cannot be written", () => {
  const hr = serving(() => ({ settings: (folder) => ({ "hr.backup": join(folder, "taken", "kept") }) }));

  it("is said, and the service goes on", async () => {
    await writeFile(hr().workplace.path("taken"), "a file where a folder should be");
    await uploadHired(hr(), hiredLines(1, 5));
    const { status } = await hr().request("/backup?table=hired_employees", { method: "POST", who: admin });
    expect(status === 200 || status >= 400).toBe(true);
    for (const entry of await backupsOf(hr())) {
      expect(entry).toMatchObject({ table: "hired_employees", state: expect.not.stringMatching(/complete|done/) });
      expect(Object.keys(entry)).toEqual(expect.arrayContaining(["version", "rows", "createdAt"]));
    }
    expect((await restore(hr(), "hired_employees")).status).toBeGreaterThanOrEqual(400);
    expect(await hr().count("hired_employees")).toBe(5);
  });
});
