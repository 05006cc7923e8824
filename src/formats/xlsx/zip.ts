import { crc32 } from "node:zlib";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import { expand } from "../expand.ts";
import { encrypted } from "./protection.ts";

/** Bytes of a file from `start` up to `end`. */
export type ReadRange = (start: number, end: number) => AsyncIterable<Uint8Array>;

export interface ZipEntry {
  readonly name: string;
  readonly sizeBytes: number;
  readonly packedBytes: number;
  readonly method: number;
  readonly isEncrypted: boolean;
  readonly crc: number;
  /** Byte of its local header. */
  readonly at: number;
}

export interface Zip {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** The content of an entry, checked against its checksum. `fed` is told the packed bytes as they are read. */
  content(entry: ZipEntry, fed?: (bytes: number) => void): AsyncGenerator<Uint8Array, void>;
}

const signature = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50 };
const endBytes = 22;
const locatorBytes = 20;
const end64Bytes = 56;
const centralBytes = 46;
const localBytes = 30;
const commentBytesMax = 0xffff;
const isIn64 = 0xffffffff;

/** Reads the directory of a ZIP file. Throws FILE_FORMAT, FILE_TRUNCATED. */
export async function openZip(read: ReadRange, sizeBytes: number, source: string): Promise<Zip> {
  const { entries: count, bytes, at } = await findDirectory(read, sizeBytes, source);
  if (bytes > limit.zipDirectoryBytes || at + bytes > sizeBytes)
    throw damaged(source, "its directory is not where it should be");
  const entries = entriesOf(await all(read(at, at + bytes)), count, source);
  return { entries, content: (entry, fed) => contentOf(read, entry, source, fed) };
}

interface Directory {
  readonly entries: number;
  readonly bytes: number;
  readonly at: number;
}

async function findDirectory(read: ReadRange, sizeBytes: number, source: string): Promise<Directory> {
  const from = Math.max(0, sizeBytes - endBytes - commentBytesMax);
  const tail = await all(read(from, sizeBytes));
  let found = tail.length - endBytes;
  while (found >= 0 && tail.readUInt32LE(found) !== signature.end) found -= 1;
  if (found < 0) {
    throw new MillraceError(
      "FILE_TRUNCATED",
      `${source} ends too early: it has no directory, which a ZIP file ends with`,
      {
        remedy: "Fetch or save the file again, then run again.",
        at: { source },
      },
    );
  }
  const plain = {
    entries: tail.readUInt16LE(found + 10),
    bytes: tail.readUInt32LE(found + 12),
    at: tail.readUInt32LE(found + 16),
  };
  const isLarge = plain.at === isIn64 || plain.bytes === isIn64 || plain.entries === 0xffff;
  const locator = found - locatorBytes;
  if (!isLarge || locator < 0 || tail.readUInt32LE(locator) !== signature.locator64) return plain;
  const at64 = Number(tail.readBigUInt64LE(locator + 8));
  const end64 = await all(read(at64, at64 + end64Bytes));
  if (end64.length < end64Bytes || end64.readUInt32LE(0) !== signature.end64) {
    throw damaged(source, "its directory is not where it should be");
  }
  return {
    entries: Number(end64.readBigUInt64LE(32)),
    bytes: Number(end64.readBigUInt64LE(40)),
    at: Number(end64.readBigUInt64LE(48)),
  };
}

function entriesOf(directory: Buffer, count: number, source: string): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let n = 0; n < count; n += 1) {
    if (at + centralBytes > directory.length || directory.readUInt32LE(at) !== signature.central) {
      throw damaged(source, "its directory cannot be read");
    }
    const [nameBytes, extraBytes, noteBytes] = [28, 30, 32].map((place) => directory.readUInt16LE(at + place));
    const behind = at + centralBytes + (nameBytes ?? 0);
    const end = behind + (extraBytes ?? 0) + (noteBytes ?? 0);
    if (end > directory.length) throw damaged(source, "its directory cannot be read");
    const name = directory.toString("utf8", at + centralBytes, behind).replaceAll("\\", "/");
    const sizes = sizesOf(directory, at, directory.subarray(behind, behind + (extraBytes ?? 0)));
    entries.set(name.toLowerCase(), {
      ...sizes,
      name,
      method: directory.readUInt16LE(at + 10),
      isEncrypted: (directory.readUInt16LE(at + 8) & 1) === 1,
      crc: directory.readUInt32LE(at + 16),
    });
    at = end;
  }
  return entries;
}

/** Sizes and place, which lie in an extra field where they need 64 bits. */
function sizesOf(
  directory: Buffer,
  at: number,
  extra: Buffer,
): { readonly sizeBytes: number; readonly packedBytes: number; readonly at: number } {
  const wide = zip64Field(extra);
  let next = 0;
  const value = (place: number): number => {
    const plain = directory.readUInt32LE(at + place);
    if (plain !== isIn64 || wide === undefined || next + 8 > wide.length) return plain;
    next += 8;
    return Number(wide.readBigUInt64LE(next - 8));
  };
  const sizeBytes = value(24);
  const packedBytes = value(20);
  return { sizeBytes, packedBytes, at: value(42) };
}

function zip64Field(extra: Buffer): Buffer | undefined {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) === 1) return extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
  }
  return undefined;
}

async function* contentOf(
  read: ReadRange,
  entry: ZipEntry,
  source: string,
  fed: (bytes: number) => void = () => undefined,
): AsyncGenerator<Uint8Array, void> {
  if (entry.isEncrypted) throw encrypted(source);
  if (entry.method !== 0 && entry.method !== 8) throw damaged(source, `${entry.name} is packed in an unknown way`);
  const header = await all(read(entry.at, entry.at + localBytes));
  if (header.length < localBytes || header.readUInt32LE(0) !== signature.local) {
    throw damaged(source, `${entry.name} is not where it should be`);
  }
  const start = entry.at + localBytes + header.readUInt16LE(26) + header.readUInt16LE(28);
  const packed = counted(read(start, start + entry.packedBytes), fed);
  const pieces = entry.method === 0 ? packed : expand(packed, "deflate", source, limit.zipExpandRatio);
  let crc = 0;
  let size = 0;
  for await (const piece of pieces) {
    crc = crc32(piece, crc);
    size += piece.length;
    yield piece;
  }
  if (size !== entry.sizeBytes || crc !== entry.crc)
    throw damaged(source, `${entry.name} is not what it was when it was saved`);
}

async function* counted(
  pieces: AsyncIterable<Uint8Array>,
  fed: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void> {
  for await (const piece of pieces) {
    fed(piece.length);
    yield piece;
  }
}

export async function all(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const held: Uint8Array[] = [];
  for await (const piece of pieces) held.push(piece);
  return Buffer.concat(held);
}

export function damaged(source: string, why: string): MillraceError {
  return new MillraceError("FILE_FORMAT", `${source} cannot be read as a workbook: ${why}`, {
    remedy: "Open and save it again with a spreadsheet program, or fetch it again. What was committed stays.",
    at: { source },
  });
}
