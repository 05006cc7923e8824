import { describe, expect, it } from "vitest";
import { departmentsCsv, jobsCsv } from "../../../scripts/sample-data.ts";
import { hiredLine, hiredLines, idRanges } from "./hired.ts";
import { backUp, restore } from "./backups.ts";
import { describeOnPlaces } from "./places.ts";
import type { Reply, UploadAnswer } from "./reply.ts";
import type { HrService, Upload } from "./service.ts";

const clients = 1000;
const patienceMs = 60_000;

const at = <Value>(count: number, make: (index: number) => Promise<Value>): Promise<Value[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));

function hired(content: string): Upload {
  return { name: "hired_employees.csv", content };
}

function statusesOf(replies: readonly Reply[]): number[] {
  return [...new Set(replies.map(({ status }) => status))].sort((a, b) => a - b);
}

/** How many were hired in 2021, as an insight tells it. */
async function hiredByInsight(hr: HrService): Promise<number> {
  const { status, body } = await hr.request("/insights?table=HIRES_DEPARTMENT_JOB&limit=100000");
  expect(status).toBe(200);
  const rows = body as Record<"q1" | "q2" | "q3" | "q4", number>[];
  return rows.reduce((sum, { q1, q2, q3, q4 }) => sum + q1 + q2 + q3 + q4, 0);
}

const take = idRanges(100_000);

function restoring(hr: () => HrService): void {
  const base = 400;
  const files = 30;
  const perFile = 10;

  async function prepare(): Promise<void> {
    await hr().uploaded({ name: "departments.csv", content: departmentsCsv() });
    await hr().uploaded({ name: "jobs.csv", content: jobsCsv() });
    await hr().uploaded(hired(hiredLines(1, base)));
    await backUp(hr(), "hired_employees");
  }

  it("answer every one truly with readers beside them, and rows add up", async () => {
    await prepare();
    const fileAt = (index: number): Upload => hired(hiredLines(10_000 + perFile * index, perFile));
    const [uploads, restores, seen] = await Promise.all([
      at(files, (index) => hr().uploaded(fileAt(index))),
      at(3, () => restore(hr(), "hired_employees")),
      at(20, () => hiredByInsight(hr())),
    ]);
    expect(statusesOf(restores)).toEqual([200]);
    for (const answer of uploads) expect(answer).toMatchObject({ rows: perFile, nrows_inserted: perFile });
    for (const count of seen) {
      expect(count).toBeGreaterThanOrEqual(base);
      expect((count - base) % perFile).toBe(0);
    }
    expect(await hr().count("hired_employees", "id < 10000")).toBe(base);
    const later = await hr().query(
      `select (id - id % ${perFile}) as file, count(*) as n from hired_employees where id >= 10000 group by 1`,
    );
    expect(later.filter(({ n }) => Number(n) !== perFile)).toEqual([]);
  });

  it("what is uploaded after a restore was answered is there; the next restore takes it back", async () => {
    expect((await restore(hr(), "hired_employees")).status).toBe(200);
    expect(await hr().count("hired_employees")).toBe(base);
    expect(await hr().uploaded(hired(hiredLines(10_000, perFile)))).toMatchObject({ nrows_inserted: perFile });
    expect(await hiredByInsight(hr())).toBe(base + perFile);
    expect((await restore(hr(), "hired_employees")).status).toBe(200);
    expect(await hiredByInsight(hr())).toBe(base);
  });
}

function together(hr: () => HrService): void {
  it.each([2, 5])("of one file, %i times: one inserts, the others merge, and each says so", async (times) => {
    const content = hiredLines(take(300), 300);
    const answers = await at(times, () => hr().uploaded(hired(content)));
    const inserted = answers.map(({ nrows_inserted }) => nrows_inserted).sort((a, b) => a - b);
    expect(inserted).toEqual([...Array.from({ length: times - 1 }, () => 0), 300]);
    for (const { rows, nrows_inserted, nrows_merged = 0 } of answers) expect(nrows_inserted + nrows_merged).toBe(rows);
  });

  it("of files that overlap: every id is inserted once", async () => {
    const first = take(500);
    const answers = await at(5, (index) => hr().uploaded(hired(hiredLines(first + 50 * index, 300))));
    const sum = (pick: (answer: UploadAnswer) => number): number => answers.reduce((all, one) => all + pick(one), 0);
    expect(sum(({ nrows_inserted }) => nrows_inserted)).toBe(500);
    expect(sum(({ nrows_merged = 0 }) => nrows_merged)).toBe(1000);
    expect(await hr().count("hired_employees", `id >= ${first} and id < ${first + 500}`)).toBe(500);
  });

  it("of one file with ?mode=append: each record is taken once and refused else", async () => {
    const upload = { ...hired(hiredLines(take(200), 200)), query: "?mode=append" };
    const answers = await at(4, () => hr().uploaded(upload));
    const taken = answers.map(({ nrows_inserted }) => nrows_inserted);
    expect(taken.reduce((sum, count) => sum + count, 0)).toBe(200);
    for (const { nrows_inserted, nrows_failed = 0 } of answers) expect(nrows_inserted + nrows_failed).toBe(200);
  });

  it("into all three tables keep apart", async () => {
    const first = take(100);
    const names = (kind: string): string =>
      Array.from({ length: 100 }, (_, n) => `${first + n},${kind} ${n}\n`).join("");
    const answers = await Promise.all([
      ...[hr().uploaded(hired(hiredLines(first, 100)))],
      ...[hr().uploaded({ name: "departments.csv", content: names("Department") })],
      ...[hr().uploaded({ name: "jobs.csv", content: names("Job") })],
    ]);
    expect(answers.map(({ columns, nrows_inserted }) => [columns, nrows_inserted])).toEqual([
      [5, 100],
      [2, 100],
      [2, 100],
    ]);
  });
}

function crowd(hr: () => HrService): void {
  // An upload costs several times as much in a DuckDB file as on a server, and the suite is to be quick.
  const uploaders = (): number => (hr().to.startsWith("duckdb:") ? clients / 4 : clients);

  it("asking for insights are all answered, and alike", { timeout: patienceMs }, async () => {
    const replies = await at(clients, () =>
      hr().request("/insights?table=DEPARTMENTS_HIRED_ABOVE_MEAN", { withinMs: patienceMs }),
    );
    const served = replies.filter(({ status }) => status === 200);
    expect(statusesOf(replies).filter((status) => status !== 503)).toEqual([200]);
    expect(new Set(served.map(({ text }) => text)).size).toBe(1);
    expect(served.length).toBeGreaterThan(clients / 2);
  });

  it("uploading are all answered, and the table holds what they were told", { timeout: 2 * patienceMs }, async () => {
    const first = take(uploaders());
    const replies = await at(uploaders(), (index) =>
      hr().upload(hired(`${hiredLine(first + index)}\n`), { withinMs: 2 * patienceMs }),
    );
    expect(statusesOf(replies).filter((status) => status !== 503)).toEqual([200]);
    const told = replies.flatMap(({ status }, index) => (status === 200 ? [first + index] : []));
    for (const { status, body } of replies) if (status === 200) expect(body).toMatchObject({ nrows_inserted: 1 });
    const there = await hr().query(`select id from hired_employees where id >= ${first} order by id`);
    expect(there.map(({ id }) => id)).toEqual(told);
    expect(told.length).toBeGreaterThan(replies.length / 2);
  });
}

describeOnPlaces("the service", (hr) => {
  describe("with restores during uploads", () => {
    restoring(hr);
  });
  describe("with uploads at the same time", () => {
    together(hr);
  });
  describe("with a thousand clients at once", () => {
    crowd(hr);
  });
});
