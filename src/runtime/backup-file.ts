import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { MillraceError } from "../core/error.ts";

/** What tells a file's content from every other. */
export interface Fingerprint {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Of a local file. Throws DISK. */
export async function fingerprint(path: string): Promise<Fingerprint> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Uint8Array>) {
      hash.update(piece);
      bytes += piece.byteLength;
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** The text of a small local file. Throws DISK. */
export async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): MillraceError {
  return new MillraceError("DISK", `The temporary file ${path} cannot be read`, {
    remedy: "Look at the disk, and leave the folder for temporary files alone while Millrace works.",
    cause,
  });
}
