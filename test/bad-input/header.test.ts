import { expect, test } from "vitest";
import { expectError, expectLoaded, hired, Scene } from "./attempt.ts";

const record = "1,Harold Vogt,2021-11-07T02:48:42Z,2\n";

test.each([
  {
    title: "lacks a column",
    header: "id,name,datetime",
    line: "1,Harold Vogt,2021-11-07T02:48:42Z\n",
    saying: /department_id/,
  },
  {
    title: "has one more",
    header: "id,name,datetime,department_id,salary",
    line: record.replace("\n", ",9\n"),
    saying: /salary/,
  },
  { title: "calls one by another name", header: "id,fullname,datetime,department_id", line: record, saying: /name/ },
  { title: "names one twice", header: "id,name,name,department_id", line: record, saying: /name/ },
])("a header that $title is an error that names it, and nothing is loaded", async ({ header, line, saying }) => {
  using scene = new Scene();
  const outcome = await scene.load({ content: `${header}\n${line}`, source: { header: true } });
  expectError(outcome, "HEADER_MISMATCH", saying);
});

test("columns in another order are loaded by their names", async () => {
  using scene = new Scene();
  const content = "department_id,datetime,name,id\n2,2021-11-07T02:48:42Z,Harold Vogt,1\n";
  await expectLoaded(scene, await scene.load({ content }), { read: 1, rejected: 0 });
  expect(await scene.query("select id, name, department_id from hired")).toEqual([
    { id: 1, name: "Harold Vogt", department_id: 2 },
  ]);
});

test("a column more may be dropped on request", async () => {
  using scene = new Scene();
  const content = `id,name,salary,datetime,department_id\n1,Harold Vogt,9,2021-11-07T02:48:42Z,2\n`;
  await expectLoaded(scene, await scene.load({ content, source: { ignoreExtra: true } }), { read: 1, rejected: 0 });
});

test("a nullable column may be missing in the header or not, but never silently", async () => {
  using scene = new Scene();
  const columns = { ...hired.columns, note: { type: "text", nullable: true } };
  const content = `id,name,datetime,department_id\n${record}`;
  const outcome = await scene.load({ content, contract: { table: "hired", columns }, source: { header: true } });
  if (outcome.error === undefined) expect(await scene.query("select note from hired")).toEqual([{ note: null }]);
  else expectError(outcome, "HEADER_MISMATCH", /note/);
});

test("a file that has a header, read as if it had none, gives a reject and no row of names", async () => {
  using scene = new Scene();
  const content = `id,name,datetime,department_id\n${record}`;
  await expectLoaded(scene, await scene.load({ content, source: { header: false } }), { read: 2, rejected: 1 });
});

test("a file without a header, read as if it had one, is an error that says so", async () => {
  using scene = new Scene();
  expectError(await scene.load({ content: record + record, source: { header: true } }), "HEADER_MISMATCH", /id/);
});

test.each([
  { title: "is there twice", header: "a,a", names: ["a", "a_2"] },
  { title: "is there twice but for its case", header: "a,A", names: ["a", "A_2"] },
  { title: "is empty", header: "a,", names: ["a", "column1"] },
  { title: "is longer than a column's may be", header: `a,${"n".repeat(70)}`, names: ["a", "n".repeat(63)] },
])(
  "without a contract, a name that $title is made one that is usable, and its values are loaded",
  async ({ header, names }) => {
    using scene = new Scene();
    const content = `${header}\n1,2\n`;
    const outcome = await scene.load({ content, contract: undefined, source: { header: true } });
    await expectLoaded(scene, outcome, { read: 1, rejected: 0 });
    const [row] = await scene.query("select * from hired");
    expect(row).toEqual({ [names[0] ?? ""]: 1, [names[1] ?? ""]: 2 });
  },
);
