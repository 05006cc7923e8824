import { MillraceError } from "../../core/error.ts";

/** What the directory of a protected workbook's container names. */
const mark = Buffer.from("EncryptedPackage", "utf16le");

const sectorShiftAt = 30;
const directoryAt = 48;

/** Whether a container, of which this is the beginning or all, holds a workbook that is protected by a password. */
export function isEncryptedContainer(bytes: Uint8Array): boolean {
  const held = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (held.includes(mark)) return true;
  if (held.length < directoryAt + 4) return false;
  // The directory may lie behind the beginning: such a large container that is no workbook of old is taken for one.
  const sectorBytes = 2 ** held.readUInt16LE(sectorShiftAt);
  return (held.readUInt32LE(directoryAt) + 1) * sectorBytes >= held.length && !held.includes(oldMark);
}

/** What an old workbook begins with, in the first sector of its only stream. */
const oldMark = Buffer.from([0x09, 0x08, 0x10, 0x00, 0x00, 0x06, 0x05, 0x00]);

export function encrypted(source: string): MillraceError {
  return new MillraceError("FILE_ENCRYPTED", `${source} is protected by a password`, {
    remedy: "Save it without a password, or export the sheet as CSV.",
    at: { source },
  });
}
