import { appendFile, chmod, mkdir, open, readdir, readFile, rename, truncate, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { integer, table, text } from "../../src/core/table.ts";
import type { Lane } from "../../src/ports/source.ts";
import {
  at,
  Checkpoints,
  collect,
  lanesOf,
  type Loaded,
  load,
  loadLane,
  never,
  numbers,
  rows,
  scene,
  sourceAt,
  withFolder,
} from "./file-loading.ts";

withFolder();

describe("a file that changes while it is read", () => {
  const megabytes = rows(250_000);
  const change = async (act: (path: string) => Promise<void>): Promise<Loaded> => {
    await writeFile(at("a.csv"), megabytes);
    const known = new Checkpoints();
    const source = sourceAt(at("a.csv"), { batchBytes: 100_000 });
    const [lane] = await lanesOf(source);
    const reader = await source.open(lane as Lane, (lane as Lane).initial, never);
    const loaded: Loaded & { rejects: number } = { ids: [], lines: [], rejects: 0, batches: [] };
    try {
      for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) {
        collect(batch, loaded);
        if (loaded.batches.length === 2) await act(at("a.csv"));
      }
    } finally {
      await reader.close();
      known.keep(lane as Lane, loaded.batches.at(-1)?.end ?? { row: 0 });
    }
    return loaded;
  };

  it("and grows: what was hashed is read, and a notice says so", async () => {
    const loaded = await change((path) => appendFile(path, "x,y,z\n"));
    expect(loaded.ids).toHaveLength(250_000);
    expect(scene.notices).toEqual([expect.stringContaining("grew by 6 bytes")]);
  });

  it("and is replaced: the content opened is read to its end, and a notice says so", async () => {
    const loaded = await change(async (path) => {
      await writeFile(`${path}.new`, rows(3));
      await rename(`${path}.new`, path);
    });
    expect(loaded.ids).toEqual(numbers(250_000));
    expect(scene.notices).toEqual([expect.stringContaining("was replaced")]);
  });

  it.each<[string, (path: string) => Promise<void>]>([
    ["shrinks", (path) => truncate(path, 1_500_000)],
    ["is rewritten in place", (path) => writeFile(path, megabytes.replaceAll("name", "NAME"))],
    [
      "is rewritten in place by something longer",
      (path) => writeFile(path, megabytes.replaceAll("name", "a longer name")),
    ],
    [
      "is changed in a part that was read already",
      async (path) => {
        const file = await open(path, "r+");
        await file.write("X", 3);
        await file.close();
      },
    ],
  ])("and %s: that is said, and nothing of the new content is read", async (_, act) => {
    await expect(change(act)).rejects.toMatchObject({
      code: "FILE_CHANGED",
      remedy: expect.stringContaining("committed stays"),
    });
  });
});

describe("damaged files", () => {
  it("a gzip that is cut off gives what is whole, then says so", async () => {
    const whole = gzipSync(Buffer.from(rows(200_000)));
    await writeFile(at("a.csv.gz"), whole.subarray(0, whole.length - 2000));
    const source = sourceAt(at("a.csv.gz"), { batchBytes: 100_000 });
    const [lane] = await lanesOf(source);
    const reader = await source.open(lane as Lane, (lane as Lane).initial, never);
    const loaded: Loaded & { rejects: number } = { ids: [], lines: [], rejects: 0, batches: [] };
    const all = async (): Promise<void> => {
      for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) collect(batch, loaded);
    };
    await expect(all()).rejects.toMatchObject({ code: "FILE_TRUNCATED" });
    await reader.close();
    expect(loaded.ids.length).toBeGreaterThan(150_000);
    expect(loaded.ids).toEqual(numbers(loaded.ids.length));
    expect(loaded.rejects).toBe(0);
  });

  it("a bomb is refused", async () => {
    await writeFile(at("b.csv.gz"), gzipSync(Buffer.alloc(300 * 1024 * 1024)));
    await expect(load(at("b.csv.gz"), new Checkpoints())).rejects.toMatchObject({ code: "FILE_EXPANDS" });
  });

  it.each([
    ["a Parquet file cut off", "a.parquet", async (path: string) => truncate(path, 300), "FILE_TRUNCATED"],
    [
      "a Parquet file with a broken footer",
      "a.parquet",
      async (path: string) => {
        const bytes = await readFile(path);
        await writeFile(path, bytes.fill(7, bytes.length - 200, bytes.length - 8));
      },
      "FILE_FORMAT",
    ],
    ["text that is called Parquet", "a.parquet", async (path: string) => writeFile(path, "1,a\n"), "FILE_FORMAT"],
    [
      "a workbook",
      "a.csv",
      async (path: string) => writeFile(path, Buffer.from("PK\x03\x04xxxxxxxxxxxx", "latin1")),
      "FILE_FORMAT",
    ],
  ])("%s is refused", async (_, name, damage, code) => {
    await writeParquet(at("a.parquet"), 1000);
    await damage(at(name));
    await expect(load(at(name), new Checkpoints())).rejects.toMatchObject({ code });
  });
});

async function writeParquet(path: string, count: number): Promise<void> {
  const connection = await scene.engine.connect();
  await connection.run(
    `copy (select i::integer as ID, 'n' || i as name from range(${count}) t(i)) to '${path}' (format parquet, row_group_size 2048)`,
  );
  connection.close();
}

describe("Parquet", () => {
  it("gives its rows in order, resumes by row, and maps columns by name", async () => {
    await writeParquet(at("a*[1].parquet"), 20_000);
    const known = new Checkpoints();
    const first = await load(at("a*[1].parquet"), known, { batchBytes: 10_000 }, 2);
    const rest = await load(at("a*[1].parquet"), known, { batchBytes: 100_000 });
    expect(first.ids.length).toBeGreaterThan(0);
    expect([...first.ids, ...rest.ids]).toEqual(numbers(20_000));
    expect((await load(at("a*[1].parquet"), known)).ids).toEqual([]);
    await expect(
      load(at("a*[1].parquet"), known, { contract: table("t", { id: integer(), nam: text() }) }),
    ).rejects.toMatchObject({ code: "HEADER_MISMATCH" });
  });

  it("keeps numbers, dates and nested values exactly", async () => {
    const connection = await scene.engine.connect();
    await connection.run(
      `copy (select 12345678901234567.123456789::decimal(38,9) as d, 9007199254740993::bigint as b, 3.0::double as w, 0.1::double as f, timestamp '2021-01-01 01:02:03.000004' as t, [1, null] as l, null::integer as n, true as y) to '${at("x.parquet")}'`,
    );
    connection.close();
    const { batches } = await load(at("x.parquet"), new Checkpoints(), { contract: undefined });
    expect(Buffer.from(batches[0]?.at(0).bytes ?? []).toString()).toBe(
      '{"d":"12345678901234567.123456789","b":9007199254740993,"w":"3","f":"0.1","t":"2021-01-01 01:02:03.000004","l":[1,null],"n":null,"y":true}',
    );
  });
});

describe("paths", () => {
  it.each([
    "with space.csv",
    "-dash.csv",
    "ünïcödé 漢.csv",
    "a[1].csv",
    "star*.csv",
    "q?.csv",
    "quote'\".csv",
    "{a,b}.csv",
  ])("%s", async (name) => {
    await writeFile(at(name), rows(2));
    expect((await load(at(name), new Checkpoints())).ids).toEqual(["0", "1"]);
  });

  it("patterns are sorted by name and leave folders out", async () => {
    await mkdir(at("sub"));
    await mkdir(at("scene.folder.csv"));
    for (const name of ["c.csv", "a.csv", "sub/b.csv", "x.txt"]) await writeFile(at(name), rows(1, name.charCodeAt(0)));
    const names = async (pattern: string) =>
      (await lanesOf(sourceAt(at(pattern)))).map(({ source }) => source.slice(scene.folder.length + 1));
    expect(await names("*.csv")).toEqual(["a.csv", "c.csv"]);
    expect(await names("**/*.csv")).toEqual(["a.csv", "c.csv", "sub/b.csv"]);
    expect(await names("{x,a}.{txt,csv}")).toEqual(["a.csv", "x.txt"]);
    expect(await names("?.csv")).toEqual(["a.csv", "c.csv"]);
  });

  it("a missing file names the nearest, a folder is no file", async () => {
    await writeFile(at("hired_employees.csv"), rows(1));
    await expect(lanesOf(sourceAt(at("hired_employes.csv")))).rejects.toMatchObject({
      code: "FILE_MISSING",
      remedy: expect.stringContaining(`Did you mean ${at("hired_employees.csv")}?`),
    });
    await expect(lanesOf(sourceAt(at("*.json")))).rejects.toMatchObject({ code: "FILE_MISSING" });
    await expect(lanesOf(sourceAt(scene.folder))).rejects.toMatchObject({ code: "FILE_NOT_A_FILE" });
  });

  it.skipIf(process.getuid?.() === 0)("an unreadable file is said to be so", async () => {
    await writeFile(at("a.csv"), rows(1));
    await chmod(at("a.csv"), 0);
    await expect(lanesOf(sourceAt(at("a.csv")))).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
  });
});

describe("settling", () => {
  it("moves files into done beside them, under a free name, and may be repeated", async () => {
    for (const content of [rows(1), rows(2)]) {
      await writeFile(at("a.csv"), content);
      const source = sourceAt(at("*.csv"), { options: { settle: "archive" } });
      const [lane] = await lanesOf(source);
      await source.settle(lane as Lane);
      await source.settle(lane as Lane);
    }
    expect(await readdir(scene.folder)).toEqual(["done"]);
    expect((await readdir(at("done"))).sort()).toEqual(["a-2.csv", "a.csv"]);
    expect(await readFile(at("done/a-2.csv"), "utf8")).toBe(rows(2));
    await expect(lanesOf(sourceAt(at("**/*.csv"), { options: { settle: "archive" } }))).rejects.toMatchObject({
      code: "FILE_MISSING",
    });
  });

  it("keeps a file that has other content by then", async () => {
    await writeFile(at("a.csv"), rows(1));
    const source = sourceAt(at("a.csv"), { options: { settle: "delete" } });
    const [lane] = await lanesOf(source);
    await appendFile(at("a.csv"), rows(1, 1));
    await source.settle(lane as Lane);
    expect(await readdir(scene.folder)).toEqual(["a.csv"]);
    expect(scene.notices).toEqual([expect.stringContaining("is kept")]);
  });
});

it("following gives new and changed files once they stand still, until it is stopped", async () => {
  await writeFile(at("a.csv"), rows(3));
  const stop = new AbortController();
  const known = new Checkpoints();
  const seen: string[][] = [];
  let looks = 0;
  const acts: Readonly<Record<number, () => Promise<void>>> = {
    3: () => writeFile(at("b.csv"), rows(1, 10)),
    4: () => appendFile(at("b.csv"), rows(1, 11)),
    5: () => appendFile(at("b.csv"), rows(1, 12)),
    7: () => writeFile(at("copy.csv"), rows(3)),
    9: () => appendFile(at("a.csv"), rows(2, 3)),
    13: async () => stop.abort(),
  };
  const source = sourceAt(at("*.csv"), {
    pause: async (_, signal) => {
      looks += 1;
      await acts[looks]?.();
      signal?.throwIfAborted();
    },
  });
  for await (const lane of source.lanes(known, { follow: true, signal: stop.signal })) {
    seen.push((await loadLane(source, lane, known)).ids);
  }
  expect(seen).toEqual([["0", "1", "2"], ["10", "11", "12"], [], ["3", "4"]]);
});

it("following leaves a file that cannot be read, says why, and reads it once it is mended", async () => {
  await writeFile(at("a.csv"), "PAR1 is no Parquet");
  await rename(at("a.csv"), at("a.parquet"));
  await writeFile(at("b.csv"), rows(2));
  const stop = new AbortController();
  const known = new Checkpoints();
  const seen: string[][] = [];
  let looks = 0;
  const source = sourceAt(at("*"), {
    pause: async (_, signal) => {
      looks += 1;
      if (looks === 3) await writeFile(at("a.parquet"), gzipSync(rows(1, 20)));
      if (looks === 4) await rename(at("a.parquet"), at("c.csv.gz"));
      if (looks === 8) stop.abort();
      signal?.throwIfAborted();
    },
  });
  for await (const lane of source.lanes(known, { follow: true, signal: stop.signal })) {
    seen.push((await loadLane(source, lane, known)).ids);
  }
  expect(seen).toEqual([["0", "1"], ["20"]]);
  expect(scene.notices[0]).toMatch(/a\.parquet is left as it is: .*PAR1/);
});
