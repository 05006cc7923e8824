import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fileSink } from "../../src/adapters/file/index.ts";
import { laneHash, tableFolder } from "../../src/adapters/file/sink-part-name.ts";
import type { Claim, Position } from "../../src/core/checkpoint.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { Sink, Target, Unit } from "../../src/ports/sink.ts";
import { RowEngine } from "../conformance/engine-rows.ts";
import { readManifest } from "./file-reader.ts";

let engine: RowEngine;
beforeAll(async () => {
  engine = await RowEngine.open();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

let root: string;
let sink: Sink;
let now = 0;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "millrace-file-folder-"));
  sink = fileSink(parsePlace(`file:${root}`), {}, { ...engine.context, now: () => now });
});
afterEach(async () => {
  await sink.close();
  rmSync(root, { recursive: true });
});

const columns = [{ name: "id", type: "integer" }] as const;
const targetOf = (table: string): Target => {
  return { pipeline: "p", table, columns, key: [], mode: "append", lineage: false };
};
const target = targetOf("t");
const parts = (): string[] => readdirSync(join(root, "t")).filter((file) => file.startsWith("part-"));

async function write(unit: Unit, claim: Claim, start: Position): Promise<void> {
  const [batch = 0n] = await sink.reserveBatches(1);
  const common = { run: "run", version: "v1", source: "lane.csv", filtered: 0, rejects: [], format: {} };
  await unit.write({
    ...common,
    claim,
    batch,
    start,
    end: { row: start.row + 1 },
    read: 1,
    rows: await engine.makeRows(columns, [{ id: start.row }]),
    startedAt: "2024-01-01T00:00:00Z",
    refuse: () => expect.unreachable(),
  });
}

async function loadRows(claim: Claim, from: number, to: number, replace = false): Promise<void> {
  const unit = await sink.begin(target, { replace });
  for (let row = from; row < to; row += 1) await write(unit, claim, { row });
  await unit.commit();
}

async function opened(): Promise<Claim> {
  await sink.open();
  await sink.prepare(target);
  return sink.claim("p", "lane", "lane.csv", { row: 0 });
}

describe("the folder of a table", () => {
  it.each([
    ["hired_employees", "hired_employees"],
    ["Größe 漢字", "Größe%20漢字"],
    ["../../etc/passwd", "%2E%2E%2F%2E%2E%2Fetc%2Fpasswd"],
    [".hidden", "%2Ehidden"],
    ["a\\b:c*?", "a%5Cb%3Ac%2A%3F"],
    ["_millrace", "%5Fmillrace"],
    ["_Millrace_x", "%5FMillrace_x"],
  ])("of %s is %s", (table, folder) => {
    expect(tableFolder(table)).toBe(folder);
  });

  it("is one short name within the sink's folder, whatever the table is called", () => {
    const anyName = fc.string({ unit: "binary", minLength: 1, maxLength: 63 });
    fc.assert(
      fc.property(anyName, (table) => {
        const folder = tableFolder(table);
        expect(basename(resolve("/place", folder))).toBe(folder);
        expect(resolve("/place", folder)).toBe(`/place/${folder}`);
        expect(Buffer.byteLength(folder)).toBeLessThanOrEqual(200);
      }),
    );
  });

  it("is not shared by tables that differ only in case", async () => {
    await opened();
    await expect(sink.prepare(targetOf("T"))).rejects.toMatchObject({ code: "TABLE_MISMATCH" });
  });

  it("is refused when it holds files that the catalog does not know", async () => {
    await sink.open();
    mkdirSync(join(root, "t"));
    writeFileSync(join(root, "t", "part-0123456789abcdef-000000000000.parquet"), "");
    await expect(sink.prepare(target)).rejects.toMatchObject({ code: "TABLE_MISMATCH" });
    expect(parts()).toHaveLength(1);
  });
});

describe("parts", () => {
  it("are named by lane and position", async () => {
    await loadRows(await opened(), 0, 2);
    const hash = laneHash("p", "lane");
    expect(parts()).toEqual([`part-${hash}-000000000000.parquet`, `part-${hash}-000000000001.parquet`]);
  });

  it("of dead units are removed by the next claim, those of living ones are not", async () => {
    const claim = await opened();
    await loadRows(claim, 0, 1);
    const [lane, other] = [laneHash("p", "lane"), laneHash("p", "other")];
    await sink.claim("p", "other", "other.csv", { row: 0 });
    const dead = [`part-${lane}-000000000001.parquet`, `.part-${lane}-1-0a.tmp`, `part-${other}-000000000000.csv`];
    const living = [`.part-${other}-1-0a.tmp`];
    for (const file of [...dead, ...living]) writeFileSync(join(root, "t", file), "");
    await sink.claim("p", "lane", "lane.csv", { row: 0 });
    expect(readdirSync(join(root, "t")).toSorted()).toEqual(
      [...living, "_manifest.json", `part-${lane}-000000000000.parquet`].toSorted(),
    );
  });

  it("that are replaced are removed, also when a new one has the same position", async () => {
    const claim = await opened();
    await loadRows(claim, 0, 2);
    await loadRows(claim, 0, 1, true);
    expect(parts()).toEqual([`part-${laneHash("p", "lane")}-000000000000-1.parquet`]);
    expect(readManifest(join(root, "t"))).toMatchObject({ rows: 1, parts: [{ file: parts()[0] }] });
  });

  it("stay when the unit that would replace them is fenced", async () => {
    const claim = await opened();
    await loadRows(claim, 0, 2);
    const before = parts();
    const unit = await sink.begin(target, { replace: true });
    await write(unit, claim, { row: 0 });
    await sink.claim("p", "lane", "lane.csv", { row: 0 });
    await expect(unit.commit()).rejects.toMatchObject({ code: "FENCED" });
    await unit.rollback();
    expect(parts()).toEqual(before);
  });
});

it("says once that files do not look for duplicate keys", async () => {
  await sink.open();
  const keyed = { ...target, key: ["id"] };
  engine.notices.length = 0;
  await sink.prepare(keyed);
  await sink.prepare(keyed);
  expect(engine.notices).toEqual([expect.stringContaining("not refused")]);
});

describe("the manifest", () => {
  it("falls behind the catalog by a second at most where there are many parts, and not when closed", async () => {
    const claim = await opened();
    const listed = (): number => readManifest(join(root, "t")).parts.length;
    await loadRows(claim, 0, 501);
    expect(listed()).toBe(0);
    now += 1_000;
    await loadRows(claim, 501, 502);
    expect(listed()).toBe(502);
    await loadRows(claim, 502, 503);
    expect(listed()).toBe(502);
    await sink.close();
    expect(listed()).toBe(503);
  });
});

describe("opening to read", () => {
  it("creates nothing where nothing is", async () => {
    await sink.open("read");
    expect(await sink.records.ledger({ limit: 1 })).toEqual([]);
    expect(readdirSync(root)).toEqual([]);
  });

  it("is opened to write when that is asked for later", async () => {
    await sink.open("read");
    await loadRows(await opened(), 0, 1);
    await sink.open("read");
    expect(await sink.records.ledger({ limit: 9 })).toHaveLength(1);
  });

  it("is what a query does that comes first, and it writes nothing", async () => {
    const rows = sink.query("create table mine as select 1")[Symbol.asyncIterator]();
    const error: unknown = await rows.next().catch((thrown: unknown) => thrown);
    expect(sink.explain(error)).toMatchObject({ code: "SINK_REFUSED" });
  });
});

describe("what is refused", () => {
  it.each(["file:out?format=xlsx", "file:out?compress=yes"])("the URL %s", (url) => {
    expect(() => fileSink(parsePlace(url), {}, engine.context)).toThrow(
      expect.objectContaining({ code: "URL_INVALID" }),
    );
  });

  it("a file where the folder should be", async () => {
    const path = join(root, "file");
    writeFileSync(path, "");
    const blocked = fileSink(parsePlace(`file:${path}`), {}, engine.context);
    const error: unknown = await blocked.open().catch((thrown: unknown) => thrown);
    expect(blocked.explain(error)).toMatchObject({ code: "SINK_REFUSED" });
  });

  it("a catalog of a later version, and one that is no catalog", async () => {
    await sink.open();
    await sink.close();
    const path = join(root, "_millrace", "catalog.db");
    const catalog = new DatabaseSync(path);
    catalog.exec("pragma user_version = 99");
    catalog.close();
    await expect(sink.open()).rejects.toMatchObject({ code: "SINK_REFUSED" });
    writeFileSync(path, "not a database, whatever its name may say".repeat(100));
    const error: unknown = await sink.open().catch((thrown: unknown) => thrown);
    expect(sink.explain(error)).toMatchObject({ code: "SINK_REFUSED" });
  });

  it.each([
    ["ENOSPC", "SINK_FULL", "wait"],
    ["EROFS", "SINK_READ_ONLY", "stop"],
    ["EACCES", "SINK_DENIED", "stop"],
  ])("%s as %s: %s", (code, expected, kind) => {
    const error = Object.assign(new Error("refused by the system"), { code });
    expect(sink.explain(error)).toMatchObject({ code: expected });
    expect([sink.classify(error), sink.classify(sink.explain(error))]).toEqual([kind, kind]);
  });

  it("a lock that is held for too long: to be waited for", async () => {
    const error = Object.assign(new Error("database is locked"), { code: "ERR_SQLITE_ERROR", errcode: 5 + (2 << 8) });
    expect(sink.explain(error)).toMatchObject({ code: "SINK_BUSY" });
    expect(sink.classify(error)).toBe("wait");
  });
});
