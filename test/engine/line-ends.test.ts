import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { integer, table, text } from "../../src/core/table.ts";
import { BatchChecker } from "../../src/engine/batch.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { RawBatch } from "../../src/ports/source.ts";
import { csvBatch } from "./raw-batch.ts";

const contract = table("notes", { id: integer(), note: text() });
const records = 3000;

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open({ memoryBytes: 200 * 2 ** 20, threads: 2 });
});

afterAll(() => engine.close());

/** Every seventh record has `note`, quoted; the records end in `end`. */
function batchWith(note: string, end: string): RawBatch {
  const quoted = `"${note.replaceAll('"', '""')}"`;
  const lines = Array.from(
    { length: records },
    (_, id) => `${id},${id % 7 === 0 ? quoted : "plain"}${end.slice(0, -1)}`,
  );
  return csvBatch(contract, lines);
}

async function notes(raw: RawBatch): Promise<unknown[]> {
  const checker = await BatchChecker.open(engine, { contract, steps: [], lineage: false, takes: "relation" });
  try {
    const batch = await checker.check(raw, 1n);
    const found: unknown[] = [];
    for await (const rows of batch.rows.objects()) found.push(...rows.map((row) => row["note"]));
    await batch.release();
    return found;
  } finally {
    checker.close();
  }
}

describe("line ends within quotes are text, whatever ends the records", () => {
  const texts = ["a\r\nb", "a\nb", "a\rb", '\r\nsays "q"', "x\r\n"];
  const cases = texts.flatMap((note) => [
    { note, end: "\n", title: `${JSON.stringify(note)} in records that end in LF` },
    { note, end: "\r\n", title: `${JSON.stringify(note)} in records that end in CRLF` },
  ]);
  it.each(cases)("$title", async ({ note, end }) => {
    const found = await notes(batchWith(note, end));
    expect(found.length).toBe(records);
    expect(found.filter((one) => one === note).length).toBe(Math.ceil(records / 7));
    expect(new Set(found)).toEqual(new Set([note, "plain"]));
  });
});
