import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import { remoteMissing } from "../core/remote-entry.ts";
import type { FileEntry, Files, FileState, OpenFile } from "../ports/files.ts";
import type { Remote, RemoteEntry } from "../ports/remote.ts";
import { filesOfPattern, isPattern } from "./remote-listing.ts";
import { RemotePatience } from "./remote-patience.ts";
import { RemoteReading } from "./remote-reading.ts";

const nearbyMax = 1000;

/** Files of a server or a bucket. Its adapter is loaded, and its URL read, at the first call. */
export class RemoteFiles implements Files {
  readonly shown: string;
  readonly pollMs = limit.remotePollMs;
  readonly #open: () => Promise<Remote>;
  readonly #patience: RemotePatience;
  #remote: Promise<Remote> | undefined;
  #downloads: Promise<string> | undefined;
  /** By path and version. */
  readonly #local = new Map<string, { readonly version: string; readonly path: string }>();

  constructor(shown: string, open: () => Promise<Remote>, context: Pick<AdapterContext, "pause">) {
    this.shown = shown;
    this.#open = open;
    this.#patience = new RemotePatience(context);
  }

  async list(): Promise<readonly FileEntry[]> {
    const remote = await this.#connected();
    const { path } = remote;
    const entry = await this.#look(path);
    if (entry !== undefined && entry.kind !== "other") return [fileOf(remote, path, requireFile(entry, remote, path))];
    if (!isPattern(path)) return [];
    const list = (folder: string): Promise<readonly RemoteEntry[]> => this.#patience.bear(() => remote.list(folder));
    const found = await filesOfPattern(path, list);
    return found.map((one) => fileOf(remote, one.path, one.entry));
  }

  async nearby(): Promise<readonly string[]> {
    const remote = await this.#connected();
    const folder = posix.dirname(remote.path);
    const entries = await this.#patience.bear(() => remote.list(folder === "." ? "" : folder));
    const files = entries.filter(({ kind }) => kind === "file").slice(0, nearbyMax);
    return files.map(({ name }) => shownPath(remote.root, posix.join(folder, name)));
  }

  async open(shown: string): Promise<OpenFile> {
    const remote = await this.#connected();
    const path = pathOf(remote, shown);
    const entry = await this.#look(path);
    if (entry === undefined) throw remoteMissing(shown);
    const { sizeBytes, version } = requireFile(entry, remote, path);
    const reading = new RemoteReading(remote, path, this.#patience);
    return {
      ...{ path: shown, sizeBytes, version },
      read: (start, end) => reading.read(start, end),
      now: async (): Promise<FileState> => {
        const now = await this.#look(path);
        if (now === undefined) return { sizeBytes, version, name: "gone" };
        return { sizeBytes: now.sizeBytes, version: now.version, name: "same" };
      },
      close: () => reading.close(),
    };
  }

  async local(shown: string): Promise<string> {
    const file = await this.open(shown);
    try {
      const known = this.#local.get(shown);
      if (known?.version === file.version) return known.path;
      await this.#forgetDownloads();
      this.#downloads ??= mkdtemp(join(tmpdir(), "millrace-download-"));
      const path = join(await this.#downloads, `${this.#local.size}-${basename(shown)}`);
      await download(file, path);
      this.#local.set(shown, { version: file.version, path });
      return path;
    } finally {
      await file.close();
    }
  }

  async move(shown: string, folder: string): Promise<void> {
    const remote = await this.#connected();
    const path = pathOf(remote, shown);
    const target = posix.join(posix.dirname(path), folder);
    await this.#patience.bear(async () => {
      if ((await remote.look(path)) === undefined) return;
      await remote.makeFolder(target);
      await remote.move(path, await this.#freePath(remote, target, posix.basename(path)));
    });
  }

  async remove(shown: string): Promise<void> {
    const remote = await this.#connected();
    await this.#patience.bear(() => remote.remove(pathOf(remote, shown)));
  }

  async close(): Promise<void> {
    const [remote, downloads] = [await this.#remote?.catch(() => undefined), await this.#downloads];
    this.#remote = undefined;
    this.#downloads = undefined;
    this.#local.clear();
    await remote?.close();
    if (downloads !== undefined) await rm(downloads, { recursive: true, force: true });
  }

  async #freePath(remote: Remote, folder: string, name: string): Promise<string> {
    const ending = posix.extname(name);
    const stem = posix.basename(name, ending);
    for (let more = 1; ; more += 1) {
      const path = posix.join(folder, more === 1 ? name : `${stem}-${more}${ending}`);
      if ((await remote.look(path)) === undefined) return path;
    }
  }

  /** Few are read at once: those that came before are removed once there are more. */
  async #forgetDownloads(): Promise<void> {
    for (const [shown, { path }] of this.#local) {
      if (this.#local.size < limit.remoteDownloads) return;
      this.#local.delete(shown);
      await rm(path, { force: true });
    }
  }

  async #look(path: string): Promise<RemoteEntry | undefined> {
    const remote = await this.#connected();
    return this.#patience.bear(() => remote.look(path));
  }

  #connected(): Promise<Remote> {
    this.#remote ??= this.#open();
    return this.#remote;
  }
}

async function download(file: OpenFile, path: string): Promise<void> {
  try {
    await pipeline(Readable.from(file.read(0, file.sizeBytes)), createWriteStream(path, { flags: "wx", mode: 0o600 }));
  } catch (error) {
    await rm(path, { force: true });
    if (error instanceof MillraceError) throw error;
    throw new MillraceError("DISK", `${path} cannot be written: ${(error as Error).message}`, {
      remedy: "Make room on the disk of temporary files, or name another one in TMPDIR.",
      at: { source: file.path },
      cause: error,
    });
  }
}

/** What people call a path: `ftp://user@host/inbox/a.csv`. */
export function shownPath(root: string, path: string): string {
  return `${root}${path.startsWith("/") ? "" : "/~/"}${path}`;
}

function pathOf({ root }: Remote, shown: string): string {
  const path = shown.slice(root.length);
  return path.startsWith("/~/") ? path.slice(3) : path;
}

function fileOf({ root }: Remote, path: string, { sizeBytes, version }: RemoteEntry): FileEntry {
  return { path: shownPath(root, path), sizeBytes, version };
}

function requireFile(entry: RemoteEntry, { root }: Remote, path: string): RemoteEntry {
  if (entry.kind === "file") return entry;
  const shown = shownPath(root, path);
  const isFolder = entry.kind === "folder";
  throw new MillraceError("FILE_NOT_A_FILE", `${shown} is ${isFolder ? "a folder" : "no regular file"}`, {
    remedy: isFolder
      ? `Name the files in it, such as ${shown.replace(/\/$/, "")}/*.csv.`
      : "Copy its content into a file first.",
    at: { source: shown },
  });
}
