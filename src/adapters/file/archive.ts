import { randomUUID } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { archiveSegments, requireArchiveName, requireArchivePrefix } from "../../core/archive-name.ts";
import { MillraceError } from "../../core/error.ts";
import type { Place } from "../../core/place.ts";
import { retryPauseMs } from "../../core/retry.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { Archive, ArchiveEntry, ArchiveFactory } from "../../ports/archive.ts";
import { explain } from "./sink-error.ts";

/** `file:DIR`: a folder that keeps each file under its name. The folder is created by the first `put`. */
export const fileArchive: ArchiveFactory = (place, context) => new FileArchive(place, context);

const pieceBytes = 1024 * 1024;
const attemptsMax = 5;
/** A name that no archive name can be: what lies there is not finished, and nobody lists or reads it. */
const unfinishedMark = "~put-";
/** Unfinished files as old as this belong to nobody any more: each is written to without a pause. */
const leftBehindMs = 24 * 3600 * 1000;
const sweepEveryMs = 3600 * 1000;

class FileArchive implements Archive {
  readonly shown: string;
  readonly #root: string;
  readonly #context: AdapterContext;
  #sweptMs = Number.NEGATIVE_INFINITY;

  constructor(place: Place, context: AdapterContext) {
    const unknown = [...place.options.keys()][0];
    if (unknown !== undefined) {
      throw new MillraceError("URL_INVALID", `The URL ${place.shown} cannot be used: it has the option ${unknown}`, {
        remedy: "A folder that keeps files has no options: write file:DIR.",
      });
    }
    this.shown = place.shown;
    this.#root = resolve(place.path);
    this.#context = context;
  }

  async put(name: string, path: string): Promise<void> {
    const segments = requireArchiveName(name);
    await this.#patiently(async () => {
      const source = await openLocal(path);
      try {
        await this.#keep(source, path, segments);
      } finally {
        await source.close();
      }
    });
    await this.#sweepNowAndThen();
  }

  async get(name: string, path: string): Promise<void> {
    const segments = requireArchiveName(name);
    await this.#patiently(async () => {
      const source = await this.#openKept(name, segments);
      try {
        await writeLocal(source, path);
      } finally {
        await source.close();
      }
    });
  }

  async *list(prefix: string): AsyncGenerator<ArchiveEntry> {
    const { segments, rest } = requireArchivePrefix(prefix);
    try {
      const folder = await this.#existingFolder(segments);
      if (folder === undefined) return;
      const start = segments.map((segment) => `${segment}/`).join("");
      for await (const { name, stats } of filesIn(folder, start)) {
        if (!name.startsWith(start + rest) || archiveSegments(name) === undefined) continue;
        yield { name, sizeBytes: stats.size };
      }
    } catch (error) {
      throw this.#explained(error);
    }
  }

  async remove(name: string): Promise<void> {
    const segments = requireArchiveName(name);
    await this.#patiently(async () => {
      const folder = await this.#existingFolder(segments.slice(0, -1));
      if (folder === undefined) return;
      const path = join(folder, segments.at(-1) ?? "");
      const stats = await look(path);
      if (stats === undefined || stats.isDirectory()) return;
      await unlink(path).catch(undefinedIfMissing);
      await syncFolder(folder);
      await this.#removeEmptied(segments.slice(0, -1));
    });
  }

  async close(): Promise<void> {}

  /** Does `work` again a few times while the system is short of something that comes back. */
  async #patiently(work: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (attempt >= attemptsMax || !isPassing(error)) throw this.#explained(error);
      }
      await this.#context.pause(retryPauseMs(attempt, Math.random()));
    }
  }

  /** A name is given to the whole file only, so nobody sees a part of it; then the folder is synced. */
  async #keep(source: FileHandle, path: string, segments: readonly string[]): Promise<void> {
    const name = segments.at(-1) ?? "";
    const { folder, target, unfinished } = await this.#openUnfinished(segments.slice(0, -1));
    try {
      try {
        await copy(source, target, (error) => localFailure(path, "read", error));
        await target.sync();
      } finally {
        await target.close();
      }
      await rename(unfinished, join(folder, name));
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
    await syncFolder(folder);
  }

  /** Whoever removes the last file of a folder removes the folder, perhaps just when a file is to be written there. */
  async #openUnfinished(segments: readonly string[]) {
    for (let attempt = 1; ; attempt += 1) {
      const folder = await this.#makeFolder(segments);
      const unfinished = join(folder, `${unfinishedMark}${process.pid}-${randomUUID()}`);
      try {
        return { folder, unfinished, target: await open(unfinished, "wx") };
      } catch (error) {
        if (codeOf(error) !== "ENOENT" || attempt >= attemptsMax) throw error;
      }
    }
  }

  async #makeFolder(segments: readonly string[]): Promise<string> {
    await mkdir(this.#root, { recursive: true });
    let folder = this.#root;
    for (const segment of segments) {
      const parent = folder;
      folder = join(parent, segment);
      try {
        await mkdir(folder);
        await syncFolder(parent);
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
        const stats = await lstat(folder);
        if (!stats.isDirectory()) throw this.#inTheWay(folder, stats);
      }
    }
    return folder;
  }

  /** Undefined when there is no such folder. */
  async #existingFolder(segments: readonly string[]): Promise<string | undefined> {
    // The archive's own folder may be reached by a link: that is its owner's business.
    const root = await stat(this.#root).catch(undefinedIfMissing);
    if (root === undefined) return undefined;
    if (!root.isDirectory()) throw this.#inTheWay(this.#root, root);
    let folder = this.#root;
    for (const segment of segments) {
      folder = join(folder, segment);
      const stats = await look(folder);
      if (stats?.isSymbolicLink() === true) throw this.#inTheWay(folder, stats);
      if (stats?.isDirectory() !== true) return undefined;
    }
    return folder;
  }

  #inTheWay(path: string, stats: Stats): MillraceError {
    const what = stats.isSymbolicLink() ? "a symbolic link, which may lead out of the archive" : "no folder";
    return new MillraceError("SINK_REFUSED", `${this.shown}: ${path} is ${what}`, {
      remedy: "Remove it, or keep files in another folder.",
    });
  }

  async #openKept(name: string, segments: readonly string[]): Promise<FileHandle> {
    const folder = await this.#existingFolder(segments.slice(0, -1));
    if (folder === undefined) throw this.#missing(name);
    const path = join(folder, segments.at(-1) ?? "");
    const stats = await look(path);
    if (stats?.isSymbolicLink() === true) throw this.#inTheWay(path, stats);
    if (stats?.isFile() !== true) throw this.#missing(name);
    try {
      return await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    } catch (error) {
      throw isMissing(error) ? this.#missing(name) : error;
    }
  }

  #missing(name: string): MillraceError {
    return new MillraceError("FILE_MISSING", `${this.shown} keeps nothing under ${name}`, {
      remedy: "Look at what is there, and check the name.",
    });
  }

  async #removeEmptied(segments: readonly string[]): Promise<void> {
    for (let depth = segments.length; depth > 0; depth -= 1) {
      try {
        await rmdir(join(this.#root, ...segments.slice(0, depth)));
      } catch {
        return; // not empty, or not ours to remove: an empty folder holds no file either
      }
    }
  }

  /** Removes what killed processes left unfinished. The file at hand is kept already: it fails nothing. */
  async #sweepNowAndThen(): Promise<void> {
    const now = this.#context.now();
    if (now - this.#sweptMs < sweepEveryMs) return;
    this.#sweptMs = now;
    try {
      for await (const { path, stats } of filesIn(this.#root, "")) {
        const isLeft = basename(path).startsWith(unfinishedMark) && now - stats.mtimeMs >= leftBehindMs;
        if (isLeft) await unlink(path);
      }
    } catch (error) {
      this.#context.notice(`${this.shown} could not be swept of unfinished files: ${messageOf(error)}`);
    }
  }

  #explained(error: unknown): Error {
    const explained = explain(error, this.shown);
    if (explained instanceof MillraceError) return explained;
    return new MillraceError("SINK_REFUSED", `${this.shown}: ${explained.message}`, {
      remedy: "Correct what the message names, or keep files in another folder.",
      cause: error,
    });
  }
}

interface Found {
  readonly path: string;
  /** Below the folder that the archive is in, `/` between its segments. */
  readonly name: string;
  readonly stats: Stats;
}

/** All files below a folder, by name; links are not followed. */
async function* filesIn(folder: string, start: string): AsyncGenerator<Found> {
  // Emptied and removed meanwhile, when it is not there.
  const entries = (await readdir(folder, { withFileTypes: true }).catch(undefinedIfMissing)) ?? [];
  // A folder's files have names that go on with a slash, and stand in the order of those.
  const names = entries.map((entry) => ({ entry, sort: entry.isDirectory() ? `${entry.name}/` : entry.name }));
  for (const { entry, sort } of names.toSorted((a, b) => (a.sort < b.sort ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(path, start + sort);
    if (!entry.isFile()) continue;
    const stats = await look(path);
    if (stats !== undefined) yield { path, name: start + sort, stats };
  }
}

function look(path: string): Promise<Stats | undefined> {
  return lstat(path).catch(undefinedIfMissing);
}

function undefinedIfMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}

async function openLocal(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    throw localFailure(path, "read", error);
  }
}

async function writeLocal(source: FileHandle, path: string): Promise<void> {
  const written = (error: unknown): MillraceError => localFailure(path, "written", error);
  const target = await open(path, "wx").catch((error: unknown) => {
    throw written(error);
  });
  try {
    await copy(source, target, undefined, written);
    await target.close();
  } catch (error) {
    await target.close();
    await rm(path, { force: true });
    throw error;
  }
}

type Explain = (error: unknown) => unknown;
const asItIs: Explain = (error) => error;

async function copy(
  source: FileHandle,
  target: FileHandle,
  ofSource: Explain = asItIs,
  ofTarget: Explain = asItIs,
): Promise<void> {
  const piece = Buffer.allocUnsafe(pieceBytes);
  for (;;) {
    const { bytesRead } = await source.read(piece, 0, pieceBytes).catch((error: unknown) => {
      throw ofSource(error);
    });
    if (bytesRead === 0) return;
    await target.writeFile(piece.subarray(0, bytesRead)).catch((error: unknown) => {
      throw ofTarget(error);
    });
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } catch (error) {
    // Some file systems cannot sync a folder, and keep its names in their own way.
    if (!["EINVAL", "EPERM", "ENOTSUP", "EISDIR"].includes(codeOf(error))) throw error;
  } finally {
    await folder.close();
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";

const messageOf = (error: unknown): string => String((error as Error).message ?? error);

const isMissing = (error: unknown): boolean => ["ENOENT", "ENOTDIR"].includes(codeOf(error));

const isPassing = (error: unknown): boolean =>
  ["EBUSY", "EMFILE", "ENFILE", "EAGAIN", "ESTALE", "ETIMEDOUT"].includes(codeOf(error));

function localFailure(path: string, verb: "read" | "written", cause: unknown): MillraceError {
  return new MillraceError("DISK", `${path} cannot be ${verb}: ${messageOf(cause)}`, {
    remedy: "Check that the file is there, that this user has the right to it, and that its disk has room.",
    at: { source: path },
    cause,
  });
}
