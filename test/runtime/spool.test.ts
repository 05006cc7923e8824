import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { limit } from "../../src/core/limit.ts";
import { Spool } from "../../src/runtime/spool.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-spool-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function contentOf(spool: Spool): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of spool.bytes()) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe("a spool", () => {
  it.each([
    ["in memory", 10],
    ["in a file", limit.spoolMemoryBytes],
  ])("gives back what was written, as often as it is asked (%s)", async (_, size) => {
    const spool = new Spool(folder);
    const pieces = [Buffer.alloc(size, "a"), Buffer.alloc(3, "b"), Buffer.alloc(size, "c")];
    for (const piece of pieces) await spool.write(piece);
    for (let times = 0; times < 2; times += 1)
      expect((await contentOf(spool)).equals(Buffer.concat(pieces))).toBe(true);
    expect(spool.sizeBytes).toBe(2 * size + 3);
    await spool.dispose();
    await spool.dispose();
  });

  it("leaves no name behind while it is in use", async () => {
    const spool = new Spool(folder);
    await spool.write(Buffer.alloc(limit.spoolMemoryBytes + 1));
    expect(await readdir(folder)).toEqual([]);
    await spool.dispose();
  });

  it("says that the folder cannot be written", async () => {
    const spool = new Spool(join(folder, "missing"));
    await expect(spool.write(Buffer.alloc(limit.spoolMemoryBytes + 1))).rejects.toMatchObject({ code: "DISK" });
    await spool.dispose();
  });
});
