import { mkdirSync, symlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { expectError, expectLoaded, goodLine, hired, hiredHeader, Scene, shown } from "./attempt.ts";

test("a missing file is said, with the name that was meant", async () => {
  using scene = new Scene();
  scene.write("hired_employees.csv", goodLine(1));
  const outcome = await scene.load({ from: scene.path("hired_employee.csv") });
  expectError(outcome, "FILE_MISSING", /hired_employee\.csv/);
  expect(outcome.error?.remedy).toContain("hired_employees.csv");
});

test("a pattern that no file matches is said", async () => {
  using scene = new Scene();
  expectError(await scene.load({ from: scene.path("*.csv") }), "FILE_MISSING", /\*\.csv/);
});

test("a folder is no file", async () => {
  using scene = new Scene();
  mkdirSync(scene.path("in"));
  expectError(await scene.load({ from: scene.path("in") }), "FILE_NOT_A_FILE", /folder/);
});

test("a link that leads nowhere is a missing file", async () => {
  using scene = new Scene();
  symlinkSync(scene.path("gone.csv"), scene.path("hired.csv"));
  expectError(await scene.load({ from: scene.path("hired.csv") }), "FILE_MISSING", /hired\.csv/);
});

test.each(["/dev/null", "/dev/zero"])("%s is no regular file", async (from) => {
  using scene = new Scene();
  expectError(await scene.load({ from }), "FILE_NOT_A_FILE", /no regular file/);
});

test.each([
  { title: "an empty file", content: "", header: false },
  { title: "a file of a header alone", content: hiredHeader, header: true },
  { title: "a byte order mark and nothing else", content: "\uFEFF", header: false },
])("$title has no records for a contract, and nothing to infer one from", async ({ content, header }) => {
  using scene = new Scene();
  const source = { header };
  await expectLoaded(scene, await scene.load({ content, source }), { read: 0, rejected: 0 });
  expectError(await scene.load({ content, source, contract: undefined }), "FILE_EMPTY", /no record/);
});

test("blank lines are no records of several fields", async () => {
  using scene = new Scene();
  await expectLoaded(scene, await scene.load({ content: "\n\n\n" }), { read: 0, rejected: 0 });
});

test("a file without line end at its end is read to its end", async () => {
  using scene = new Scene();
  await expectLoaded(scene, await scene.load({ content: `${goodLine(1)}${goodLine(2).trimEnd()}` }), {
    read: 2,
    rejected: 0,
  });
});

test.each([
  ["an Excel workbook", Buffer.from("504b0304140006000800", "hex")],
  ["a PDF", Buffer.from("%PDF-1.7\n")],
  ["an SQLite database", Buffer.from("SQLite format 3\0")],
])("%s that is called .csv is told apart", async (_, content) => {
  using scene = new Scene();
  expectError(await scene.load({ content }), "FILE_FORMAT", /cannot be read/);
});

test("bytes that are no text become rejects or an error, never rows", async () => {
  using scene = new Scene();
  const content = Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7919 + (at >> 3)) % 256));
  const { error, summary } = await scene.load({ content, source: { header: false } });
  expect(error?.code ?? "none").not.toBe("INTERNAL");
  expect(summary?.loaded ?? 0).toBe(0);
});

test("a record that fails three times over is kept with its three reasons, line and bytes", async () => {
  using scene = new Scene();
  const content = `${hiredHeader}${goodLine(1)}"x\ny",,yesterday,2\n${goodLine(3)}`;
  const { rejects } = await expectLoaded(scene, await scene.load({ content }), { read: 3, rejected: 1 });
  expect(rejects.map(shown)).toEqual([[3, ["id type", "name missing", "datetime type"], '"x\ny",,yesterday,2']]);
  expect(rejects[0]?.source).toBe(scene.path("hired.csv"));
  expect(rejects[0]?.reasons.map(({ value }) => value)).toEqual(["x\ny", undefined, "yesterday"]);
});

test("the same content again loads nothing, also under another name", async () => {
  using scene = new Scene();
  const content = goodLine(1) + goodLine(2);
  await scene.load({ content, contract: hired });
  const { summary } = await scene.load({ content, name: "copy.csv" });
  expect({ read: summary?.read, alreadyLoaded: summary?.alreadyLoaded }).toEqual({ read: 0, alreadyLoaded: 2 });
});
