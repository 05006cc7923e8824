import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, opendir, realpath, rename, stat, unlink } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import { literalPattern } from "../../core/literal-pattern.ts";
import type { Place } from "../../core/place.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { Drop, DropFactory, DropFile } from "../../ports/drop.ts";
import { localFiles, syncFolder } from "./files.ts";

/** A folder of this machine, or one that is mounted. Throws URL_INVALID. */
export const localDrop: DropFactory = (place, context) => {
  const [unknown] = place.options.keys();
  if (unknown === undefined) return new LocalDrop(place, context);
  throw new MillraceError("URL_INVALID", `The URL ${place.shown} cannot be used: a folder has no option ${unknown}`, {
    remedy: "Write it as file:PATH.",
  });
};

/** What a process that died has left; whoever else writes to the folder does not call its files so. */
const partName = /^\.millrace-[0-9a-f-]{36}\.part$/;
/** It is another process's work while it is younger than this. */
const partAgeMs = 60_000;

class LocalDrop implements Drop {
  readonly shown: string;
  readonly #folder: string;
  readonly #context: Pick<AdapterContext, "now">;

  constructor(place: Place, context: Pick<AdapterContext, "now">) {
    this.#context = context;
    this.shown = place.shown;
    this.#folder = resolve(place.path);
  }

  async open(): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
      await this.#removeParts();
    } catch (error) {
      throw unusable(this.#folder, error);
    }
  }

  async list(): Promise<readonly DropFile[]> {
    const found: DropFile[] = [];
    try {
      for await (const entry of await opendir(this.#folder)) {
        if (entry.name.startsWith(".") || !(entry.isFile() || entry.isSymbolicLink())) continue;
        const file = await this.look(entry.name).catch(() => undefined); // left out, as the port says
        if (file !== undefined) found.push(file);
        if (found.length > limit.dropFiles) throw tooMany(this.#folder);
      }
    } catch (error) {
      throw error instanceof MillraceError ? error : unusable(this.#folder, error);
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async look(name: string): Promise<DropFile | undefined> {
    const path = this.#path(name);
    try {
      const link = await lstat(path, { bigint: true });
      if (link.isSymbolicLink()) await this.#requireInside(name, path);
      const found = link.isSymbolicLink() ? await stat(path, { bigint: true }) : link;
      if (!found.isFile()) throw notAFile(name, "is no regular file");
      return { name, sizeBytes: Number(found.size), version: `${found.mtimeNs}-${found.size}` };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error instanceof MillraceError ? error : unreadable(name, error);
    }
  }

  async read(name: string, bytesMax: number): Promise<Uint8Array> {
    if ((await this.look(name)) === undefined) throw missing(name);
    let file: FileHandle | undefined;
    try {
      // A pipe that has taken the file's place meanwhile is not waited for.
      file = await open(this.#path(name), constants.O_RDONLY | constants.O_NONBLOCK);
      if (!(await file.stat()).isFile()) throw notAFile(name, "is no regular file");
      const bytes = Buffer.alloc(bytesMax + 1);
      const { bytesRead } = await readWhole(file, bytes);
      if (bytesRead > bytesMax) throw tooLong(name, bytesMax);
      return bytes.subarray(0, bytesRead);
    } catch (error) {
      if (error instanceof MillraceError) throw error;
      throw isMissing(error) ? missing(name) : unreadable(name, error);
    } finally {
      await file?.close();
    }
  }

  async replace(name: string, content: Uint8Array): Promise<void> {
    const part = join(this.#folder, `.millrace-${randomUUID()}.part`);
    try {
      const mode = await stat(this.#path(name)).then(
        (found) => found.mode & 0o777,
        () => 0o644,
      );
      const file = await open(part, "wx", mode);
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, this.#path(name));
      await syncFolder(this.#folder);
    } catch (error) {
      await unlink(part).catch(() => undefined); // what is left is removed at the next opening
      throw unusable(this.#path(name), error);
    }
  }

  archive(name: string, folder: string): Promise<void> {
    const path = this.#path(name);
    return localFiles(path, this.shown).move(path, folder);
  }

  remove(name: string): Promise<void> {
    const path = this.#path(name);
    return localFiles(path, this.shown).remove(path);
  }

  url(name: string): string {
    return literalPattern(this.#path(name));
  }

  path(name: string): string {
    return this.#path(name);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #path(name: string): string {
    if (name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name)) return join(this.#folder, name);
    throw new TypeError("A drop's file has a name, not a path");
  }

  async #requireInside(name: string, path: string): Promise<void> {
    const [folder, target] = await Promise.all([realpath(this.#folder), realpath(path)]);
    if (!target.startsWith(folder + sep)) throw notAFile(name, "is a link that leads out of the folder");
  }

  async #removeParts(): Promise<void> {
    for await (const { name } of await opendir(this.#folder)) {
      if (!partName.test(name)) continue;
      const path = join(this.#folder, name);
      const found = await stat(path).catch(() => undefined); // its process was faster
      if (found !== undefined && this.#context.now() - found.mtimeMs > partAgeMs)
        await unlink(path).catch(() => undefined);
    }
  }
}

async function readWhole(file: FileHandle, bytes: Buffer): Promise<{ readonly bytesRead: number }> {
  let bytesRead = 0;
  while (bytesRead < bytes.length) {
    const some = await file.read(bytes, bytesRead, bytes.length - bytesRead, bytesRead);
    if (some.bytesRead === 0) break;
    bytesRead += some.bytesRead;
  }
  return { bytesRead };
}

function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function missing(name: string): MillraceError {
  return new MillraceError("FILE_MISSING", `${name} is not there`, {
    remedy: "Put the file into the folder.",
    at: { source: name },
  });
}

function notAFile(name: string, what: string): MillraceError {
  return new MillraceError("FILE_NOT_A_FILE", `${name} ${what}`, {
    remedy: "Put the file itself into the folder.",
    at: { source: name },
  });
}

function tooLong(name: string, bytesMax: number): MillraceError {
  return new MillraceError("FILE_FORMAT", `${name} is longer than ${bytesMax} bytes`, {
    remedy: "Check what it is.",
    at: { source: name },
  });
}

function tooMany(folder: string): MillraceError {
  return new MillraceError("FILE_UNREADABLE", `${folder} holds more than ${limit.dropFiles} files`, {
    remedy: "Move away those that are done.",
  });
}

function unreadable(name: string, cause: unknown): MillraceError {
  return new MillraceError("FILE_UNREADABLE", `${name} cannot be read: ${wordsOf(cause)}`, {
    remedy: "Check that this user may read it.",
    at: { source: name },
    cause,
  });
}

function unusable(path: string, cause: unknown): MillraceError {
  return new MillraceError("DISK", `${path} cannot be used: ${wordsOf(cause)}`, {
    remedy: "Give this user the right to read and write in the folder, and see that there is room.",
    cause,
  });
}
