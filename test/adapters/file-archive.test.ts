import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileArchive } from "../../src/adapters/file/index.ts";
import { archiveConformance, type ArchivePlace } from "../../src/conformance/index.ts";
import { MillraceError } from "../../src/core/error.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { Archive } from "../../src/ports/archive.ts";

const context: AdapterContext = {
  engine: { connect: () => Promise.reject(new Error("an archive needs no engine")), uniqueName: (prefix) => prefix },
  now: () => Date.now(),
  pause: async () => undefined,
  notice: () => undefined,
};

const open = (root: string): Archive => fileArchive(parsePlace(`file:${root}`), context);

archiveConformance({
  name: "file",
  api: { describe, it, expect },
  skips: {},
  create: async (): Promise<ArchivePlace> => {
    const root = mkdtempSync(join(tmpdir(), "millrace-archive-[*]-"));
    const folder = join(root, "not there", "yet");
    return {
      archive: open(folder),
      other: async () => open(folder),
      dispose: async () => rmSync(root, { recursive: true }),
    };
  },
});

describe("a folder as an archive", () => {
  let root: string;
  let local: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "millrace-file-archive-"));
    local = join(root, "local");
    writeFileSync(local, "content");
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const folder = (): string => join(root, "archive");
  const failure = async (work: Promise<unknown>): Promise<MillraceError> => {
    const error: unknown = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(MillraceError);
    return error as MillraceError;
  };
  const names = async (archive: Archive): Promise<string[]> => {
    const found: string[] = [];
    for await (const { name } of archive.list("")) found.push(name);
    return found;
  };

  it("is not led out by links in it", async () => {
    const outside = join(root, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "secret"), "not to be read");
    mkdirSync(folder());
    symlinkSync(outside, join(folder(), "link"));
    symlinkSync(join(outside, "secret"), join(folder(), "file"));
    const archive = open(folder());
    const ways = [
      () => archive.put("link/new", local),
      () => archive.get("link/secret", join(root, "copy")),
      () => archive.get("file", join(root, "copy")),
      () => archive.remove("link/secret"),
    ];
    for (const way of ways) expect((await failure(way())).code).toBe("SINK_REFUSED");
    expect(await names(archive)).toEqual([]);
    expect(readdirSync(outside)).toEqual(["secret"]);
    // A link in the place of a file is replaced, and what it leads to is not written.
    await archive.put("file", local);
    expect(readFileSync(join(outside, "secret"), "utf8")).toBe("not to be read");
    expect(readFileSync(join(folder(), "file"), "utf8")).toBe("content");
  });

  it("may itself be reached by a link", async () => {
    mkdirSync(join(root, "real"));
    symlinkSync(join(root, "real"), folder());
    const archive = open(folder());
    await archive.put("a/b", local);
    expect(await names(archive)).toEqual(["a/b"]);
  });

  it("sweeps what a killed process left a day ago, and nothing younger", async () => {
    mkdirSync(join(folder(), "a"), { recursive: true });
    const left = (name: string, hours: number): void => {
      const path = join(folder(), "a", name);
      writeFileSync(path, "half");
      const time = Date.now() / 1000 - hours * 3600;
      utimesSync(path, time, time);
    };
    left("~put-1-old", 25);
    left("~put-1-young", 23);
    left("not ours", 99);
    const archive = open(folder());
    expect(await names(archive)).toEqual([]);
    await archive.put("b/c", local);
    expect(readdirSync(join(folder(), "a")).toSorted()).toEqual(["not ours", "~put-1-young"]);
  });

  it("leaves no empty folder behind", async () => {
    const archive = open(folder());
    await archive.put("a/b/c", local);
    await archive.put("a/d", local);
    await archive.remove("a/b/c");
    expect(readdirSync(join(folder(), "a"))).toEqual(["d"]);
    await archive.remove("a/d");
    expect(readdirSync(folder())).toEqual([]);
  });

  it("leaves nothing of a file that could not be kept", async () => {
    const archive = open(folder());
    mkdirSync(join(folder(), "a", "b"), { recursive: true });
    expect((await failure(archive.put("a/b", local))).code).toBe("SINK_REFUSED");
    expect(readdirSync(join(folder(), "a"))).toEqual(["b"]);
    await archive.put("c", local);
    expect((await failure(archive.put("c/d", local))).code).toBe("SINK_REFUSED");
  });

  it("says when a file stands in its place", async () => {
    writeFileSync(folder(), "no folder");
    const archive = open(folder());
    expect((await failure(names(archive))).code).toBe("SINK_REFUSED");
    expect((await failure(archive.put("a", local))).code).toBe("SINK_REFUSED");
  });

  it("has no options", () => {
    expect(() => fileArchive(parsePlace(`file:${folder()}?format=csv`), context)).toThrow(
      expect.objectContaining({ code: "URL_INVALID" }),
    );
  });
});
