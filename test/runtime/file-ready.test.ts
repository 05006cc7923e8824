import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { pipeline, type SourceOptions } from "../../src/core/pipeline.ts";
import { integer, table } from "../../src/core/table.ts";
import type { RunEvent } from "../../src/runtime/events.ts";
import { run } from "../../src/runtime/run.ts";

let folder: string;
const notices: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-ready-"));
  notices.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const onEvent = (event: RunEvent): void => void (event.event === "notice" && notices.push(event.text));

/** Rows that one look at the folder brings. */
async function loaded(options: SourceOptions, pattern = "*.csv"): Promise<number> {
  const numbers = table("numbers", { n: integer() });
  const from = pipeline("ready").from(join(folder, pattern), { header: true, ...options });
  return (await run(from.check(numbers).to(`duckdb:${join(folder, "to.duckdb")}`), { onEvent })).loaded;
}

it("a file is read when a ticket announces it, which is PROCESSED then and tells of it no more", async () => {
  for (const [name, rows] of Object.entries({ a: 3, b: 2, c: 1 })) write(`${name}.csv`, `n\n${"1\n".repeat(rows)}`);
  const ticket = { file_name: "a.csv", status: "READY", by: "them" };
  write("a.ticket", JSON.stringify(ticket));
  write("b.ticket", JSON.stringify({ file_name: "b.csv", status: "PROCESSED" }));
  write("c.ticket", "{");
  expect(await loaded({ ready: "ticket" })).toBe(3);
  expect(notices.join()).toContain("2 of 3 files are not ready");
  expect(notices.join()).toContain("The ticket c.ticket cannot be used");
  const after = JSON.parse(readFileSync(join(folder, "a.ticket"), "utf8")) as Record<string, string>;
  expect(after).toMatchObject({
    ...ticket,
    status: "PROCESSED",
    load_dttm: expect.stringMatching(/^\d{4}-\d\d-\d\d:/),
  });
  expect(await loaded({ ready: "ticket" })).toBe(0);
  write("b.ticket", JSON.stringify({ file_name: "b.csv", status: "REGISTERED" }));
  expect(await loaded({ ready: "ticket", settle: "archive" })).toBe(2);
  expect(readdirSync(join(folder, "done")).toSorted()).toEqual(["b.csv", "b.ticket"]);
});

it("a file is read when a done-file is beside it, and goes together with it", async () => {
  for (const name of ["a", "b", "c"]) write(`${name}.csv`, `n\n${name.charCodeAt(0)}\n`);
  write("a.csv.done", "");
  write("b.done", "");
  expect(await loaded({ ready: "done-file", settle: "delete" })).toBe(2);
  expect(readdirSync(folder).filter((name) => /csv|done/.test(name))).toEqual(["c.csv"]);
});

it("a file is read when it has stayed the same, and left while it grows", async () => {
  write("a.csv", "n\n1\n");
  write("b.csv", "n\n2\n");
  const growing = setInterval(() => appendFileSync(join(folder, "b.csv"), "3\n"), 10);
  try {
    expect(await loaded({ ready: { stableMs: 300 } })).toBe(1);
  } finally {
    clearInterval(growing);
  }
  expect(await loaded({ ready: { stableMs: 50 } })).toBeGreaterThan(1);
});

it("other content under a name that was loaded is refused where that is asked for", async () => {
  write("a.csv", "n\n1\n2\n");
  expect(await loaded({ sameName: "refuse" })).toBe(2);
  expect(await loaded({ sameName: "refuse" })).toBe(0);
  write("a.csv", "n\n7\n");
  await expect(loaded({ sameName: "refuse" })).rejects.toMatchObject({ code: "FILE_CHANGED" });
  expect(await loaded({})).toBe(1);
  expect(existsSync(join(folder, "a.csv"))).toBe(true);
});

it("what is asked for wrongly is told", () => {
  for (const ready of ["tickets", { stableMs: 0 }, { stableMs: 1.5 }, {}, { stableMs: 1, more: 2 }]) {
    expect(() => pipeline("p").from("x", { ready } as unknown as SourceOptions)).toThrow(/"ready" is not/);
  }
});
