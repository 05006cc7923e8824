import { posix } from "node:path";
import { Readable } from "node:stream";
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import { remoteMissing, requireFewEntries } from "../../core/remote-entry.ts";
import type { Remote, RemoteEntry, RemoteFactory } from "../../ports/remote.ts";
import { type Address, readAddress } from "./address.ts";
import { explainError, isMissing } from "./errors.ts";

/** `s3://bucket/prefix/*.csv`: objects as files, and what their keys share up to a slash as folders. Throws URL_INVALID. */
export const s3Remote: RemoteFactory = (place) => new S3Remote(readAddress(place));

class S3Remote implements Remote {
  readonly root: string;
  readonly path: string;
  readonly #address: Address;
  #client: S3Client | undefined;

  constructor(address: Address) {
    this.root = `s3://${address.bucket}`;
    this.path = `/${address.prefix.replace(/\/$/, "")}`;
    this.#address = address;
  }

  async list(folder: string): Promise<readonly RemoteEntry[]> {
    const before = folderKey(folder);
    const found: RemoteEntry[] = [];
    await this.#do(folder, "read", async (client) => {
      found.length = 0;
      const query = { Bucket: this.#address.bucket, Prefix: before, Delimiter: "/" };
      for await (const page of paginateListObjectsV2({ client }, query)) {
        for (const { Prefix: key = "" } of page.CommonPrefixes ?? []) {
          found.push({ name: key.slice(before.length, -1), kind: "folder", sizeBytes: 0, version: "" });
        }
        for (const { Key: key = "", Size: sizeBytes = 0, ETag: tag = "" } of page.Contents ?? []) {
          // A key that ends with a slash is how some programs make a folder.
          if (key !== before && !key.endsWith("/")) found.push(fileOf(key.slice(before.length), sizeBytes, tag));
        }
        requireFewEntries(found.length, this.#shown(folder));
      }
    });
    return found;
  }

  async look(path: string): Promise<RemoteEntry | undefined> {
    const name = posix.basename(path);
    const object = path === "/" ? undefined : await this.#head(path);
    if (object !== undefined) return object;
    const [first] = await this.#do(path, "read", (client) => firstKeys(client, this.#address.bucket, folderKey(path)));
    return first === undefined ? undefined : { name, kind: "folder", sizeBytes: 0, version: "" };
  }

  async *read(path: string, start: number): AsyncGenerator<Uint8Array, void> {
    try {
      const range = start > 0 ? { Range: `bytes=${start}-` } : {};
      const object = { Bucket: this.#address.bucket, Key: keyOf(path), ...range };
      const { Body: body } = await this.#connected().send(new GetObjectCommand(object));
      if (!(body instanceof Readable)) throw new TypeError("the answer has no body");
      for await (const piece of body as AsyncIterable<Uint8Array>) yield piece;
    } catch (error) {
      if (isPastEnd(error)) return;
      if (isMissing(error)) throw remoteMissing(this.#shown(path));
      throw this.#explained(error, path, "read");
    }
  }

  /** One request: the object comes to be, whole, with its end. */
  async write(path: string, content: Uint8Array): Promise<void> {
    const object = { Bucket: this.#address.bucket, Key: keyOf(path), Body: content };
    await this.#do(path, "change", (client) => client.send(new PutObjectCommand(object)));
  }

  /** A copy, then a removal: whoever stops in between has both, and removes the first when it is moved again. */
  async move(path: string, target: string): Promise<void> {
    const { bucket } = this.#address;
    const source = `${bucket}/${keyOf(path).split("/").map(encodeURIComponent).join("/")}`;
    await this.#do(path, "change", async (client) => {
      try {
        await client.send(new CopyObjectCommand({ Bucket: bucket, Key: keyOf(target), CopySource: source }));
      } catch (error) {
        if (isMissing(error)) throw remoteMissing(this.#shown(path));
        throw error;
      }
    });
    await this.remove(path);
  }

  async remove(path: string): Promise<void> {
    const object = { Bucket: this.#address.bucket, Key: keyOf(path) };
    await this.#do(path, "change", async (client) => {
      try {
        await client.send(new DeleteObjectCommand(object));
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    });
  }

  /** Keys need no folder. */
  makeFolder(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#client?.destroy();
    this.#client = undefined;
    return Promise.resolve();
  }

  async #head(path: string): Promise<RemoteEntry | undefined> {
    return this.#do(path, "read", async (client) => {
      try {
        const object = { Bucket: this.#address.bucket, Key: keyOf(path) };
        const { ContentLength: sizeBytes = 0, ETag: tag = "" } = await client.send(new HeadObjectCommand(object));
        return fileOf(posix.basename(path), sizeBytes, tag);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  async #do<Result>(path: string, deed: Deed, work: (client: S3Client) => Promise<Result>): Promise<Result> {
    try {
      return await work(this.#connected());
    } catch (error) {
      throw this.#explained(error, path, deed);
    }
  }

  /** One attempt: whoever calls tries again. */
  #connected(): S3Client {
    const { endpoint, region, pathStyle, credentials } = this.#address;
    this.#client ??= new S3Client({
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(region === undefined ? {} : { region }),
      ...(credentials === undefined ? {} : { credentials }),
      forcePathStyle: pathStyle,
      maxAttempts: 1,
      requestHandler: { connectionTimeout: limit.connectMs, socketTimeout: limit.remoteMs },
    });
    return this.#client;
  }

  #explained(error: unknown, path: string, deed: Deed): MillraceError {
    const explained = explainError(error, { ...this.#address, shown: this.#shown(path) });
    const isRefused = deed === "read" && explained.code === "SINK_DENIED" && httpStatus(error) === 403;
    if (!isRefused || !isObjectDenied(error)) return explained;
    return new MillraceError("FILE_UNREADABLE", explained.message, {
      remedy: "Give these keys the right to read the object (s3:GetObject).",
      at: { source: this.#shown(path) },
      cause: explained.cause,
    });
  }

  #shown(path: string): string {
    return `${this.root}${path}`;
  }
}

type Deed = "read" | "change";

const keyOf = (path: string): string => path.replace(/^\//, "");

/** What the keys of a folder's files start with. */
function folderKey(folder: string): string {
  const key = keyOf(folder).replace(/\/$/, "");
  return key === "" ? "" : `${key}/`;
}

function fileOf(name: string, sizeBytes: number, tag: string): RemoteEntry {
  return { name, kind: "file", sizeBytes, version: `${tag.replaceAll('"', "")}-${sizeBytes}` };
}

async function firstKeys(client: S3Client, bucket: string, prefix: string): Promise<readonly unknown[]> {
  for await (const page of paginateListObjectsV2({ client, pageSize: 1 }, { Bucket: bucket, Prefix: prefix })) {
    return page.Contents ?? [];
  }
  return [];
}

function httpStatus(error: unknown): number | undefined {
  return (error as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

/** A range that begins behind the object's last byte. */
const isPastEnd = (error: unknown): boolean => httpStatus(error) === 416;

/** The keys are right, and the object is not for them. */
const isObjectDenied = (error: unknown): boolean => (error as { readonly name?: unknown }).name === "AccessDenied";
