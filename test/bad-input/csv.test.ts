import { expect, test } from "vitest";
import { expectError, expectLoaded, goodLine, hiredHeader, Scene, shown } from "./attempt.ts";

const MiB = 2 ** 20;

test("a delimiter that is not the file's is said at once, with the one that would fit", async () => {
  using scene = new Scene();
  const content = (hiredHeader + goodLine(1) + goodLine(2)).replaceAll(",", ";");
  const outcome = await scene.load({ content, source: { delimiter: "," } });
  expectError(outcome, "COLUMNS_MISMATCH", /";"/);
  await expectLoaded(scene, await scene.load({ content }), { read: 2, rejected: 0 });
});

test.each(["\t", ";", "|"])("the delimiter %j is found out", async (delimiter) => {
  using scene = new Scene();
  const content = (hiredHeader + goodLine(1) + goodLine(2)).replaceAll(",", delimiter);
  await expectLoaded(scene, await scene.load({ content }), { read: 2, rejected: 0 });
});

test("ragged records are rejects, each with its line, and the others are rows", async () => {
  using scene = new Scene();
  const content = `${goodLine(1)}2,short\n${goodLine(3)}4,a,2021-11-07T02:48:42Z,2,too,long\n\n${goodLine(6)}`;
  const { rejects } = await expectLoaded(scene, await scene.load({ content, source: { header: false } }), {
    read: 5,
    rejected: 2,
  });
  expect(rejects.map(shown)).toEqual([
    [2, ["columns"], "2,short"],
    [4, ["columns"], "4,a,2021-11-07T02:48:42Z,2,too,long"],
  ]);
});

test.each([
  { title: "text behind a closing quote", record: '2,"Vogt" Harold,2021-11-07T02:48:42Z,2', reasons: ["malformed"] },
  { title: "a NUL byte", record: "2,Vo\0gt,2021-11-07T02:48:42Z,2", reasons: ["malformed"] },
  { title: "a NUL byte in quotes", record: '2,"Vo\0gt",2021-11-07T02:48:42Z,2', reasons: ["malformed"] },
])("$title makes that record a reject", async ({ record, reasons }) => {
  using scene = new Scene();
  const content = `${goodLine(1)}${record}\n${goodLine(3)}`;
  const { rejects } = await expectLoaded(scene, await scene.load({ content, source: { header: false } }), {
    read: 3,
    rejected: 1,
  });
  expect(rejects.map(shown)).toEqual([[2, reasons, record]]);
});

test("invalid UTF-8 makes that record a reject and its bytes are kept", async () => {
  using scene = new Scene();
  const record = Buffer.concat([Buffer.from("2,J"), Buffer.from([0xfc]), Buffer.from("rgen,2021-11-07T02:48:42Z,2")]);
  const content = Buffer.concat([Buffer.from(goodLine(1)), record, Buffer.from(`\n${goodLine(3)}`)]);
  const { rejects } = await expectLoaded(scene, await scene.load({ content, source: { header: false } }), {
    read: 3,
    rejected: 1,
  });
  expect(rejects[0]?.reasons.map(({ code }) => code)).toEqual(["encoding"]);
  expect(Buffer.from(rejects[0]?.bytes ?? []).equals(record)).toBe(true);
});

test("a quote that is never closed at the end of a 100 MB file costs that record, not the file", {
  timeout: 60_000,
}, async () => {
  using scene = new Scene();
  const block = Array.from({ length: 10_000 }, (_, id) => goodLine(id)).join("");
  const blocks = Math.ceil((100 * MiB) / block.length);
  const content = `${block.repeat(blocks)}7,"never closed,2021-11-07T02:48:42Z,2\n${goodLine(8)}`;
  const read = blocks * 10_000 + 2;
  const { rejects } = await expectLoaded(scene, await scene.load({ content, source: { header: false } }), {
    read,
    rejected: 1,
  });
  expect(rejects.map(shown)).toEqual([[read - 1, ["malformed"], '7,"never closed,2021-11-07T02:48:42Z,2']]);
});

test("a field of 50 MB makes that record a reject of which the beginning is kept", { timeout: 60_000 }, async () => {
  using scene = new Scene();
  const content = `${goodLine(1)}2,${"x".repeat(50 * MiB)},2021-11-07T02:48:42Z,2\n${goodLine(3)}`;
  const { rejects } = await expectLoaded(scene, await scene.load({ content, source: { header: false } }), {
    read: 3,
    rejected: 1,
  });
  expect(rejects[0]).toMatchObject({ line: 2, truncated: true, reasons: [{ code: "too_long" }] });
  expect(Buffer.from(rejects[0]?.bytes ?? []).toString()).toMatch(/^2,x{1000,65536}$/);
});

test("a field of 10 MB is a value like any other", { timeout: 60_000 }, async () => {
  using scene = new Scene();
  const content = `${goodLine(1)}2,${"x".repeat(10 * MiB)},2021-11-07T02:48:42Z,2\n${goodLine(3)}`;
  await expectLoaded(scene, await scene.load({ content, source: { header: false } }), { read: 3, rejected: 0 });
  expect(await scene.query("select max(length(name))::int as chars from hired")).toEqual([{ chars: 10 * MiB }]);
});

test("line ends may be mixed, and those in quotes are text", async () => {
  using scene = new Scene();
  const quoted =
    '3,"a\r\nb",2021-11-07T02:48:42Z,2\n4,"c\nd",2021-11-07T02:48:42Z,2\r\n5,"e\rf",2021-11-07T02:48:42Z,2\n';
  const content = `${goodLine(1)}${goodLine(2).replace("\n", "\r\n")}${quoted}`;
  await expectLoaded(scene, await scene.load({ content, source: { header: false } }), { read: 5, rejected: 0 });
  const names = await scene.query("select name from hired where id > 2 order by id");
  expect(names.map((row) => row["name"])).toEqual(["a\r\nb", "c\nd", "e\rf"]);
});

test("only carriage returns end the records of an old file", async () => {
  using scene = new Scene();
  const content = (goodLine(1) + goodLine(2)).replaceAll("\n", "\r");
  await expectLoaded(scene, await scene.load({ content, source: { header: false } }), { read: 2, rejected: 0 });
});

test("what a spreadsheet or a shell would run is text", async () => {
  using scene = new Scene();
  const name = "=cmd|' /C calc'!A0'); drop table hired; --";
  await expectLoaded(
    scene,
    await scene.load({ content: `1,${name},2021-11-07T02:48:42Z,2\n`, source: { header: false } }),
    { read: 1, rejected: 0 },
  );
  expect(await scene.query("select name from hired")).toEqual([{ name }]);
});

const wide = (columns: number): { content: string; names: string[] } => {
  const names = Array.from({ length: columns }, (_, index) => `c${index}`);
  return { names, content: `${names.join(",")}\n${names.map((_, index) => index).join(",")}\n` };
};

test("a table of two hundred columns is loaded, one of five thousand is refused", { timeout: 60_000 }, async () => {
  using scene = new Scene();
  const { names, content } = wide(200);
  const columns = Object.fromEntries(names.map((name) => [name, { type: "integer" }]));
  const attempt = { content, contract: { table: "hired", columns }, memoryBytes: 512 * MiB };
  await expectLoaded(scene, await scene.load(attempt), { read: 1, rejected: 0 });
  const refused = await scene.load({ content: wide(5000).content, contract: undefined, name: "wider.csv" });
  expectError(refused, "CONTRACT_INVALID", /5000 columns/);
});

test("a table that needs more memory than the budget has is said, with what to do", { timeout: 60_000 }, async () => {
  using scene = new Scene();
  const { names, content } = wide(600);
  const columns = Object.fromEntries(names.map((name) => [name, { type: "integer" }]));
  expectError(await scene.load({ content, contract: { table: "hired", columns } }), "MEMORY", /memory/);
});
