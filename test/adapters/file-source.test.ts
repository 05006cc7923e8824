import { createHash } from "node:crypto";
import { appendFile, readdir, readFile, writeFile } from "node:fs/promises";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Checkpoint } from "../../src/core/checkpoint.ts";
import type { Lane } from "../../src/ports/source.ts";
import { at, Checkpoints, lanesOf, load, numbers, rows, scene, sourceAt, withFolder } from "./file-loading.ts";

withFolder();

describe("identity", () => {
  it("is the content: the same under another name is the same lane, and loads nothing", async () => {
    await writeFile(at("a.csv"), rows(10));
    await writeFile(at("b.csv"), rows(10));
    const known = new Checkpoints();
    const [lane] = await lanesOf(sourceAt(at("a.csv")));
    expect(lane?.id).toBe(`sha256:${createHash("sha256").update(rows(10)).digest("hex")}`);
    expect((await load(at("a.csv"), known)).ids).toEqual(numbers(10));
    expect((await load(at("b.csv"), known)).ids).toEqual([]);
    expect((await load(at("b.csv"), known, { again: true })).ids).toEqual(numbers(10));
    expect([...known.kept.keys()].map((id) => id.slice(71))).toEqual(["", "~2"]);
    expect((await load(at("a.csv"), known)).ids).toEqual([]);
  });

  it("an interrupted second load goes on as the second load", async () => {
    await writeFile(at("a.csv"), rows(100));
    const known = new Checkpoints();
    await load(at("a.csv"), known);
    const first = await load(at("a.csv"), known, { again: true, batchBytes: 200 }, 2);
    const rest = await load(at("a.csv"), known, { again: true, batchBytes: 200 });
    expect([...first.ids, ...rest.ids]).toEqual(numbers(100));
    expect(rest.ids.length).toBeLessThan(100);
  });

  it("two files of one content in one run are one lane, and both are settled", async () => {
    await writeFile(at("a.csv"), rows(3));
    await writeFile(at("b.csv"), rows(3));
    const source = sourceAt(at("*.csv"), { options: { settle: "delete" } });
    const lanes = await lanesOf(source);
    expect(lanes).toHaveLength(1);
    expect(scene.notices).toEqual([expect.stringContaining("same content")]);
    await source.settle(lanes[0] as Lane);
    await source.settle(lanes[0] as Lane);
    expect(await readdir(scene.folder)).toEqual([]);
  });
});

describe("resuming", () => {
  const content = `id;name\n${rows(300).replaceAll(",", ";")}`;
  const utf16 = Buffer.from(`\ufeff${content}`, "utf16le");
  const ndjson = numbers(300)
    .map((id) => `{"id":${id}}\n`)
    .join("");
  it.each([
    ["CSV with a byte order mark", "a.csv", Buffer.from(`\ufeff${content}`)],
    ["gzip", "a.csv.gz", gzipSync(content)],
    ["two members of gzip", "a.csv.gz", Buffer.concat([gzipSync(content.slice(0, 500)), gzipSync(content.slice(500))])],
    [
      "two frames of zstd",
      "a.csv.zst",
      Buffer.concat([zstdCompressSync(content.slice(0, 500)), zstdCompressSync(content.slice(500))]),
    ],
    ["UTF-16, little end first", "a.csv", utf16],
    ["UTF-16, big end first", "a.csv", Buffer.from(utf16).swap16()],
    ["UTF-16 without mark, in gzip", "a.csv.gz", gzipSync(Buffer.from(content, "utf16le"))],
    ["lines that end in CR alone", "a.csv", Buffer.from(content.replaceAll("\n", "\r"))],
    ["NDJSON", "a.jsonl", Buffer.from(ndjson)],
    ["a JSON array", "a.json", Buffer.from(`[${ndjson.trim().replaceAll("\n", ",\n")}]`)],
  ])("goes on where the last commit was: %s", async (_, name, bytes) => {
    await writeFile(at(name), bytes);
    const known = new Checkpoints();
    const ids: string[] = [];
    const lines: (number | undefined)[] = [];
    for (let run = 0; run < 100; run += 1) {
      const some = await load(at(name), known, { batchBytes: 700 }, 1);
      if (some.ids.length === 0) break;
      ids.push(...some.ids);
      lines.push(...some.lines);
    }
    expect(ids).toEqual(numbers(300));
    const first = name.includes("json") ? 1 : 2;
    expect(lines).toEqual(numbers(300, first).map(Number));
    const [only] = [...known.kept.values()];
    expect(only?.position).toMatchObject({ row: 300 });
    expect(sourceAt(at(name)).isDone({} as Lane, only?.position as Checkpoint["position"])).toBe(true);
  });

  it("reads Latin-1 when told, and rejects it as UTF-8 when not", async () => {
    await writeFile(at("a.csv"), Buffer.from("1,caf\xe9\n2,b\n", "latin1"));
    const read = await load(at("a.csv"), new Checkpoints(), { options: { encoding: "latin1" } });
    expect(Buffer.from(read.batches[0]?.at(0).bytes ?? []).toString("utf8")).toBe("1,café");
    const refused = await load(at("a.csv"), new Checkpoints());
    expect([refused.ids, refused.rejects]).toEqual([["2"], 1]);
  });

  it("has nothing to read in an empty file, or in one of a header alone", async () => {
    await writeFile(at("empty.csv"), "");
    await writeFile(at("header.csv"), "id,name\n");
    const known = new Checkpoints();
    expect((await load(at("*.csv"), known)).ids).toEqual([]);
    expect(known.kept.size).toBe(2);
    const source = sourceAt(at("empty.csv"));
    for (const { position } of known.kept.values()) expect(source.isDone({} as Lane, position)).toBe(true);
  });
});

describe("splitting", () => {
  it.each([
    ["plain", (id: number) => `${id},name ${id}`],
    ["with line ends in quotes", (id: number) => `${id},"a\n${id + 1},b\n\n""c"`],
  ])("gives each record to one part, with its line, and later runs the same parts (%s)", async (_, record) => {
    const content = numbers(2000)
      .map((id) => `${record(Number(id))}\n`)
      .join("");
    await writeFile(at("a.csv"), content);
    const known = new Checkpoints();
    const first = await load(at("a.csv"), known, { batchBytes: 1000, options: { parallel: 3 } }, 4);
    expect([...known.kept.keys()].map((id) => id.slice(71))).toEqual(["", "#0", "#1", "#2"]);
    const rest = await load(at("a.csv"), known, { batchBytes: 1000 });
    const all = [...first.ids, ...rest.ids];
    expect(all).toHaveLength(2000);
    expect(new Set(all).size).toBe(2000);
    const perRecord = record(0).split("\n").length;
    const [...lines] = [...first.lines, ...rest.lines];
    expect(lines).toEqual(all.map((id) => 1 + Number(id) * perRecord));
    expect((await load(at("a.csv"), known)).ids).toEqual([]);
  });

  it("leaves small and compressed files whole", async () => {
    await writeFile(at("a.csv"), rows(10));
    await writeFile(at("b.csv.gz"), gzipSync(rows(5000)));
    for (const lane of await lanesOf(sourceAt(at("*"), { options: { parallel: 4 }, batchBytes: 1000 }))) {
      expect(lane.initial).not.toHaveProperty("split");
    }
  });
});

describe("a file that grew since it was read", () => {
  it.each([1, 3])("gives only its new records (parallel %i)", async (parallel) => {
    await writeFile(at("a.csv"), `id,name\n${rows(500)}`);
    const known = new Checkpoints();
    const given = { options: { parallel }, batchBytes: 1000 };
    await load(at("a.csv"), known, given);
    await appendFile(at("a.csv"), rows(5, 500));
    const grown = await load(at("a.csv"), known, given);
    expect([grown.ids, grown.lines]).toEqual([numbers(5, 500), [502, 503, 504, 505, 506]]);
    await appendFile(at("a.csv"), rows(5, 505));
    expect((await load(at("a.csv"), known, given)).ids).toEqual(numbers(5, 505));
    const whole = createHash("sha256")
      .update(await readFile(at("a.csv")))
      .digest("hex");
    expect(known.kept.has(`sha256:${whole}`)).toBe(true);
    expect((await load(at("a.csv"), known, { ...given, fromStart: true, again: true })).ids).toEqual(numbers(510));
  });

  it("is refused when its last record may have grown too", async () => {
    await writeFile(at("a.csv"), rows(5).trimEnd());
    const known = new Checkpoints();
    await load(at("a.csv"), known);
    await appendFile(at("a.csv"), "44\n6,x\n");
    await expect(load(at("a.csv"), known)).rejects.toMatchObject({ code: "FILE_CHANGED" });
  });

  it("is read to its old end first when that was not reached", async () => {
    await writeFile(at("a.csv"), rows(100));
    const known = new Checkpoints();
    const first = await load(at("a.csv"), known, { batchBytes: 300 }, 1);
    await appendFile(at("a.csv"), rows(10, 100));
    const rest = await load(at("a.csv"), known, { batchBytes: 300 });
    expect(scene.notices).toEqual([expect.stringMatching(/grew by \d+ bytes.*run again/)]);
    const last = await load(at("a.csv"), known);
    expect([...first.ids, ...rest.ids, ...last.ids]).toEqual(numbers(110));
  });

  it("of other content is read from its start", async () => {
    await writeFile(at("a.csv"), rows(5));
    const known = new Checkpoints();
    await load(at("a.csv"), known);
    await writeFile(at("a.csv"), rows(7, 50));
    expect((await load(at("a.csv"), known)).ids).toEqual(numbers(7, 50));
  });
});
