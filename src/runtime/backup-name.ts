import { archiveSegments } from "../core/archive-name.ts";

/** What a backup consists of. The manifest is kept last: without one there is no backup. */
export const fileNames = { parquet: "data.parquet", avro: "data.avro", manifest: "manifest.json" } as const;

export type BackupFormat = "parquet" | "avro";
export const backupFormats: readonly BackupFormat[] = ["parquet", "avro"];

/** Where a file of a backup lies in an archive: `TABLE/VERSION/FILE`. */
export interface BackupName {
  readonly table: string;
  readonly version: string;
  readonly file: string;
}

/** File systems take names of 255 bytes. */
const segmentCharsMax = 200;
/** At the end of a segment: the table's name goes on in the next one. No encoded name has it, as hex digits follow a dot. */
const continued = ".-";

/**
 * A table's name as segments of an archive's names, one but for very long ones: ASCII letters, digits, `_` and `-` stay,
 * every other byte of its UTF-8 becomes `.XX`, in capital hexadecimal digits.
 */
export function tableSegments(table: string): string[] {
  const encoded = table.replaceAll(/[^A-Za-z0-9_-]/gu, encodeBytes);
  const segments: string[] = [];
  for (let at = 0; at < encoded.length; at += segmentCharsMax) segments.push(encoded.slice(at, at + segmentCharsMax));
  const last = segments.length - 1;
  return segments.map((segment, index) => (index < last ? segment + continued : segment));
}

function encodeBytes(char: string): string {
  return [...Buffer.from(char)].map((byte) => `.${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

/** The table that segments stand for; undefined when none does: each table has one way to be written. */
function tableOf(segments: readonly string[]): string | undefined {
  const joined = segments.map((segment, index) => {
    return index < segments.length - 1 && segment.endsWith(continued) ? segment.slice(0, -continued.length) : segment;
  });
  const text = joined.join("").replaceAll(/[.]([0-9A-F]{2})/g, "%$1");
  try {
    const table = decodeURIComponent(text);
    return tableSegments(table).join("/") === segments.join("/") ? table : undefined;
  } catch {
    return undefined; // no UTF-8
  }
}

/** What the names of all files of a backup start with; of all of a table's backups without a version. */
export function backupPrefix(table: string, version?: string): string {
  const segments = version === undefined ? tableSegments(table) : [...tableSegments(table), version];
  return `${segments.join("/")}/`;
}

export function backupFileName({ table, version, file }: BackupName): string {
  return backupPrefix(table, version) + file;
}

/** Undefined for a name that no file of a backup has. */
export function parseBackupName(name: string): BackupName | undefined {
  const segments = archiveSegments(name) ?? [];
  const [version, file] = segments.splice(-2);
  const table = tableOf(segments);
  if (table === undefined || table === "" || version === undefined || file === undefined) return undefined;
  return isVersion(version) ? { table, version, file } : undefined;
}

const versionPattern = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z-[0-9a-f]{6}$/;

/** UTC time and chance: `20221130T101500123Z-a1b2c3`. Versions sort by time. `random` is in [0, 1). */
export function versionAt(ms: number, random: number): string {
  const time = new Date(ms).toISOString().replaceAll(/[-:.]/g, "");
  return `${time}-${Math.floor(random * 0x100_0000)
    .toString(16)
    .padStart(6, "0")}`;
}

/** Milliseconds since 1970; undefined when it is no version. */
export function versionTime(version: string): number | undefined {
  const [, year, month, day, hour, minute, second, ms] = versionPattern.exec(version) ?? [];
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
  return Number.isNaN(time) ? undefined : time;
}

export function isVersion(text: string): boolean {
  return versionTime(text) !== undefined;
}
