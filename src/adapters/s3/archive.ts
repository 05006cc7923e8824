import { type FileHandle, open, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { DeleteObjectCommand, GetObjectCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { archiveSegments, requireArchiveName, requireArchivePrefix } from "../../core/archive-name.ts";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { Place } from "../../core/place.ts";
import { retryPauseMs } from "../../core/retry.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { Archive, ArchiveEntry, ArchiveFactory } from "../../ports/archive.ts";
import { type Address, readAddress } from "./address.ts";
import { explainError, isBucketMissing, isMissing, isPassing } from "./errors.ts";
import { removeUnfinished } from "./unfinished.ts";

/** `s3://bucket/prefix`: each file is the object `prefix/NAME`. The bucket must be there. */
export const s3Archive: ArchiveFactory = (place, context) => new S3Archive(place, context);

/** Of one request, by the SDK, with growing pauses; and of a download, which the SDK does not begin anew. */
const attemptsMax = 4;
/** A server that joins the parts of a large object says nothing for a while. */
const idleMs = 120_000;
const MiB = 1024 * 1024;
const pieceBytes = MiB;
/** Parts in memory: two, of this size or as large as 10 000 of them need to be, which S3 allows. */
const partsAtOnce = 2;
const partBytesMin = 8 * MiB;
const partsMax = 10_000;
const sweepEveryMs = 3600 * 1000;

class S3Archive implements Archive {
  readonly shown: string;
  readonly #address: Address;
  readonly #context: AdapterContext;
  #client: S3Client | undefined;
  #sweptMs = Number.NEGATIVE_INFINITY;

  constructor(place: Place, context: AdapterContext) {
    this.#address = readAddress(place);
    this.shown = this.#address.shown;
    this.#context = context;
  }

  async put(name: string, path: string): Promise<void> {
    const key = this.#keyOf(name);
    const file = await openLocal(path);
    try {
      await this.#upload(file, path, key);
    } finally {
      await file.close();
    }
    await this.#sweepNowAndThen();
  }

  async get(name: string, path: string): Promise<void> {
    const key = this.#keyOf(name);
    const target = await createLocal(path);
    try {
      try {
        await this.#download(name, key, target, path);
      } finally {
        await target.close();
      }
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  async *list(prefix: string): AsyncGenerator<ArchiveEntry> {
    requireArchivePrefix(prefix);
    const { bucket, prefix: before } = this.#address;
    try {
      for await (const page of paginateListObjectsV2(
        { client: this.#connected() },
        { Bucket: bucket, Prefix: before + prefix },
      )) {
        for (const { Key: key = "", Size: sizeBytes = 0 } of page.Contents ?? []) {
          const name = key.slice(before.length);
          if (archiveSegments(name) !== undefined) yield { name, sizeBytes };
        }
      }
    } catch (error) {
      if (!isBucketMissing(error)) throw explainError(error, this.#address);
    }
  }

  async remove(name: string): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: this.#address.bucket, Key: this.#keyOf(name) });
    try {
      await this.#connected().send(command);
    } catch (error) {
      if (!isMissing(error)) throw explainError(error, this.#address);
    }
  }

  async close(): Promise<void> {
    this.#client?.destroy();
    this.#client = undefined;
  }

  #keyOf(name: string): string {
    return this.#address.prefix + requireArchiveName(name).join("/");
  }

  /** The SDK computes a checksum of each upload, which the server compares, and compares that of each download. */
  #connected(): S3Client {
    const { endpoint, region, pathStyle, credentials } = this.#address;
    this.#client ??= new S3Client({
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(region === undefined ? {} : { region }),
      ...(credentials === undefined ? {} : { credentials }),
      forcePathStyle: pathStyle,
      maxAttempts: attemptsMax,
      requestHandler: { connectionTimeout: limit.connectMs, socketTimeout: idleMs },
    });
    return this.#client;
  }

  /** In parts when it is large. An object comes to be, whole, with the last request: nobody sees a part of it. */
  async #upload(file: FileHandle, path: string, key: string): Promise<void> {
    const { size } = await file.stat().catch((error: unknown) => {
      throw localFailure(path, "read", error);
    });
    try {
      await new Upload({
        client: this.#connected(),
        params: { Bucket: this.#address.bucket, Key: key, Body: Readable.from(piecesOf(file, path, size)) },
        queueSize: partsAtOnce,
        partSize: Math.max(partBytesMin, Math.ceil(size / partsMax)),
      }).done();
    } catch (error) {
      throw explainError(error, this.#address);
    }
  }

  async #download(name: string, key: string, target: FileHandle, path: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { Body: body } = await this.#connected().send(
          new GetObjectCommand({ Bucket: this.#address.bucket, Key: key }),
        );
        if (!(body instanceof Readable)) throw new TypeError("the answer has no body");
        return await writeAll(body, target, path);
      } catch (error) {
        if (isMissing(error)) throw this.#missing(name);
        const explained = explainError(error, this.#address);
        if (attempt >= attemptsMax || !isPassing(explained)) throw explained;
      }
      await this.#context.pause(retryPauseMs(attempt, Math.random()));
    }
  }

  #missing(name: string): MillraceError {
    return new MillraceError("FILE_MISSING", `${this.shown} keeps nothing under ${name}`, {
      remedy: "Look at what is there, and check the name.",
    });
  }

  /** Parts of uploads that were killed are invisible, and are paid for. The file at hand is kept already: it fails nothing. */
  async #sweepNowAndThen(): Promise<void> {
    const now = this.#context.now();
    if (now - this.#sweptMs < sweepEveryMs) return;
    this.#sweptMs = now;
    try {
      await removeUnfinished(this.#connected(), this.#address, now);
    } catch (error) {
      this.#context.notice(`Unfinished uploads are not removed: ${explainError(error, this.#address).message}`);
    }
  }
}

async function* piecesOf(file: FileHandle, path: string, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < sizeBytes; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, sizeBytes - at));
    const { bytesRead } = await file.read(piece, 0, piece.length, at).catch((error: unknown) => {
      throw localFailure(path, "read", error);
    });
    if (bytesRead === 0) throw localFailure(path, "read", new Error("it became shorter meanwhile"));
    yield piece.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** Writes from the start: an earlier attempt may have left something. */
async function writeAll(body: Readable, target: FileHandle, path: string): Promise<void> {
  const written = (error: unknown): MillraceError => localFailure(path, "written", error);
  await target.truncate(0).catch((error: unknown) => {
    throw written(error);
  });
  let at = 0;
  for await (const piece of body as AsyncIterable<Uint8Array>) {
    for (let done = 0; done < piece.byteLength; ) {
      const { bytesWritten } = await target.write(piece, done, piece.byteLength - done, at).catch((error: unknown) => {
        throw written(error);
      });
      done += bytesWritten;
      at += bytesWritten;
    }
  }
}

function openLocal(path: string): Promise<FileHandle> {
  return open(path, "r").catch((error: unknown) => {
    throw localFailure(path, "read", error);
  });
}

function createLocal(path: string): Promise<FileHandle> {
  return open(path, "wx").catch((error: unknown) => {
    throw localFailure(path, "written", error);
  });
}

function localFailure(path: string, verb: "read" | "written", cause: unknown): MillraceError {
  return new MillraceError("DISK", `${path} cannot be ${verb}: ${String((cause as Error).message ?? cause)}`, {
    remedy: "Check that the file is there, that this user has the right to it, and that its disk has room.",
    at: { source: path },
    cause,
  });
}
