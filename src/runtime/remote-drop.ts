import { posix } from "node:path";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { literalPattern } from "../core/literal-pattern.ts";
import type { Place } from "../core/place.ts";
import { remoteMissing } from "../core/remote-entry.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Drop, DropFactory, DropFile } from "../ports/drop.ts";
import type { Remote, RemoteEntry, RemoteFactory } from "../ports/remote.ts";
import { RemoteFiles, shownPath } from "./remote-files.ts";
import { RemotePatience } from "./remote-patience.ts";

/** The drop role of an adapter that has the remote one. */
export function dropOf(factory: RemoteFactory): DropFactory {
  return (place, context) => new RemoteDrop(place, factory(place, context), context);
}

/** A folder of a server, or a prefix of a bucket. */
class RemoteDrop implements Drop {
  readonly shown: string;
  readonly #place: Place;
  readonly #remote: Remote;
  readonly #patience: RemotePatience;
  readonly #files: RemoteFiles;

  constructor(place: Place, remote: Remote, context: AdapterContext) {
    this.shown = place.shown;
    this.#place = place;
    this.#remote = remote;
    this.#patience = new RemotePatience(context);
    this.#files = new RemoteFiles(place.shown, async () => remote, context);
  }

  async open(): Promise<void> {
    const found = await this.#patience.bear(() => this.#remote.look(this.#folder));
    if (found?.kind === "folder") return;
    await this.#patience.bear(() => this.#remote.makeFolder(this.#folder));
  }

  async list(): Promise<readonly DropFile[]> {
    const found = await this.#patience.bear(() => this.#remote.list(this.#folder));
    const files = found.filter(({ kind, name }) => kind === "file" && !name.startsWith("."));
    if (files.length > limit.dropFiles) throw tooMany(this.shown);
    return files.map(fileOf).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async look(name: string): Promise<DropFile | undefined> {
    const path = this.#pathOf(name);
    const found = await this.#patience.bear(() => this.#remote.look(path));
    if (found === undefined || found.kind === "file") return found === undefined ? undefined : fileOf(found);
    throw new MillraceError("FILE_NOT_A_FILE", `${this.path(name)} is no regular file`, {
      remedy: "Put the file itself into the folder.",
      at: { source: name },
    });
  }

  async read(name: string, bytesMax: number): Promise<Uint8Array> {
    if ((await this.look(name)) === undefined) throw remoteMissing(this.path(name));
    return this.#patience.bear(() => this.#readWhole(name, bytesMax));
  }

  async #readWhole(name: string, bytesMax: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of this.#remote.read(this.#pathOf(name), 0)) {
      length += piece.length;
      if (length > bytesMax) throw tooLong(this.path(name), bytesMax);
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  replace(name: string, content: Uint8Array): Promise<void> {
    const path = this.#pathOf(name);
    return this.#patience.bear(() => this.#remote.write(path, content));
  }

  archive(name: string, folder: string): Promise<void> {
    this.#pathOf(name);
    return this.#files.move(this.path(name), folder);
  }

  remove(name: string): Promise<void> {
    const path = this.#pathOf(name);
    return this.#patience.bear(() => this.#remote.remove(path));
  }

  url(name: string): string {
    this.#pathOf(name);
    return urlOf(this.#place, literalPattern(this.path(name)));
  }

  path(name: string): string {
    return shownPath(this.#remote.root, posix.join(this.#folder, name));
  }

  close(): Promise<void> {
    return this.#files.close().then(() => this.#remote.close());
  }

  get #folder(): string {
    return this.#remote.path.replace(/(?<=.)\/+$/, "");
  }

  #pathOf(name: string): string {
    const isName = name !== "" && name !== "." && name !== ".." && !/[/\\\0\r\n]/.test(name);
    if (isName) return posix.join(this.#folder, name);
    throw new TypeError("A drop's file has a name, not a path");
  }
}

/** The URL, secrets included, of what people call `shown` at the same server: for `parsePlace`, never for a message. */
export function urlOf({ url }: Place, shown: string): string {
  const [, head = "", query = ""] = /^\s*([^/]*\/\/[^/?#]*)[^?]*(\?.*)?$/s.exec(url) ?? [];
  const path = shown.replace(/^[^/]*\/\/[^/]*/, "").split("/");
  return head + path.map(encodeURIComponent).join("/") + query.trimEnd();
}

function fileOf({ name, sizeBytes, version }: RemoteEntry): DropFile {
  return { name, sizeBytes, version };
}

function tooLong(path: string, bytesMax: number): MillraceError {
  return new MillraceError("FILE_FORMAT", `${path} is longer than ${bytesMax} bytes`, {
    remedy: "Check what it is.",
    at: { source: path },
  });
}

function tooMany(folder: string): MillraceError {
  return new MillraceError("FILE_UNREADABLE", `${folder} holds more than ${limit.dropFiles} files`, {
    remedy: "Move away those that are done.",
  });
}
