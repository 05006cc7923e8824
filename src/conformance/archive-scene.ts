import { createCipheriv, createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MillraceError } from "../core/error.ts";
import type { Archive, ArchiveEntry } from "../ports/archive.ts";
import type { TestApi } from "./harness.ts";

/** A behaviour of the suite. Its name is what a skip refers to, so it is never changed lightly. */
export interface ArchiveBehaviour {
  readonly name: string;
  run(scene: ArchiveScene): Promise<void>;
}

/** What one behaviour plays on: a fresh place, and a local folder. */
export interface ArchiveScene {
  readonly archive: Archive;
  readonly expect: TestApi["expect"];
  /** A further archive on the same place; closed with the scene. */
  other(): Promise<Archive>;
  /** A path in the local folder at which nothing is yet. */
  freePath(): string;
  /** A new local file of this content. */
  file(content: string | Uint8Array): Promise<string>;
  /** Names in the local folder. */
  localNames(): Promise<string[]>;
  dispose(): Promise<void>;
}

export async function openScene(archive: Archive, api: TestApi, other: () => Promise<Archive>): Promise<ArchiveScene> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-archive-"));
  let files = 0;
  const freePath = (): string => {
    files += 1;
    return join(folder, `local ${files}`);
  };
  return {
    archive,
    other,
    freePath,
    expect: (actual) => api.expect(actual),
    file: async (content) => {
      const path = freePath();
      await writeFile(path, content);
      return path;
    },
    localNames: async () => (await readdir(folder)).toSorted(),
    dispose: () => rm(folder, { recursive: true }),
  };
}

export async function put(scene: ArchiveScene, name: string, content: string | Uint8Array): Promise<void> {
  await scene.archive.put(name, await scene.file(content));
}

/** What is kept, as latin1 text, so that it compares byte by byte; the code when it cannot be had. */
export async function read(scene: ArchiveScene, name: string, archive = scene.archive): Promise<string> {
  const path = scene.freePath();
  const code = await codeOf(archive.get(name, path));
  return code === "no error" ? readFile(path, "latin1") : code;
}

export async function listed(archive: Archive, prefix = ""): Promise<ArchiveEntry[]> {
  const entries: ArchiveEntry[] = [];
  for await (const { name, sizeBytes } of archive.list(prefix)) entries.push({ name, sizeBytes });
  return entries;
}

export async function namesOf(archive: Archive, prefix = ""): Promise<string[]> {
  return (await listed(archive, prefix)).map(({ name }) => name);
}

/** The code that a promise fails with; the error's name when it has no code, `"no error"` when it does not fail. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "no error";
  } catch (error) {
    if (error instanceof MillraceError) return error.code;
    return error instanceof Error ? error.name : String(error);
  }
}

/** Bytes that neither repeat nor compress: a piece that is lost, doubled or moved shows. */
export function unlikeBytes(sizeBytes: number, seed: string): Buffer {
  const cipher = createCipheriv("aes-256-ctr", createHash("sha256").update(seed).digest(), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(sizeBytes));
}

export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
