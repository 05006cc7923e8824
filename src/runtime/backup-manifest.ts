import { contractFromJson, contractToJson } from "../core/contract-json.ts";
import { type Contract, keyColumns } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { isJsonObject, type Json } from "../core/json.ts";
import { lineageColumn } from "../core/lineage.ts";
import type { SinkColumn } from "../ports/rows.ts";
import { type BackupFormat, backupFormats, fileNames, versionTime } from "./backup-name.ts";

/** Raised when what a manifest says or means changes; a manifest of another number is refused rather than misread. */
export const manifestFormat = 1;

/** One of a backup's data files. */
export interface BackupFile {
  /** Beside the manifest. */
  readonly name: string;
  readonly format: BackupFormat;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** What a backup is: see docs/backups.md for its JSON. */
export interface BackupManifest {
  readonly format: typeof manifestFormat;
  readonly table: string;
  readonly version: string;
  /** ISO 8601, UTC: when the backup was begun. */
  readonly createdAt: string;
  /** The place that the rows were read from, without secrets. */
  readonly place: string;
  readonly rows: number;
  /** Of the rows, whatever the file: see `RowDigest`. */
  readonly digest: string;
  readonly contract: Contract;
  /** The contract's, and `_millrace` where the table has it. */
  readonly columns: readonly SinkColumn[];
  /** One of each format, in the order of `backupFormats`. */
  readonly files: readonly BackupFile[];
}

/** The columns of a table's backup: those of its contract, in its order, and lineage at the end. */
export function backupColumns(contract: Contract, lineage: boolean): SinkColumn[] {
  const columns = Object.entries(contract.columns).map(([name, column]): SinkColumn => {
    const { type, nullable, precision, scale } = column;
    const decimals = type === "decimal" ? { precision: precision ?? 18, scale: scale ?? 3 } : {};
    return { name, type, ...(nullable === true ? { nullable } : {}), ...decimals };
  });
  return lineage ? [...columns, { name: lineageColumn, type: "bigint", nullable: true }] : columns;
}

export function hasLineage({ columns }: Pick<BackupManifest, "columns">): boolean {
  return columns.some(({ name }) => name === lineageColumn);
}

export function manifestText(manifest: BackupManifest): string {
  const { contract, columns, files, ...plain } = manifest;
  const json = { ...plain, contract: contractToJson(contract), columns, files };
  return `${JSON.stringify(json, undefined, 2)}\n`;
}

/** Parses a manifest. `source` names it in errors. Throws BACKUP_INVALID for whatever a manifest cannot say. */
export function parseManifest(text: string, source: string): BackupManifest {
  const fields = fieldsOf(jsonOf(text, source), "the manifest", manifestFields, source);
  if (fields["format"] !== manifestFormat) {
    throw invalid(
      source,
      `its format is ${JSON.stringify(fields["format"])}, and this Millrace reads ${manifestFormat}`,
    );
  }
  const version = textOf(fields, "version", source);
  const createdAt = textOf(fields, "createdAt", source);
  const time = versionTime(version);
  if (time === undefined) throw invalid(source, `"version" is no version of a backup`);
  if (new Date(time).toISOString() !== createdAt) throw invalid(source, `"createdAt" is not the time of its version`);
  const contract = contractOf(fields["contract"], source);
  const table = textOf(fields, "table", source);
  if (contract.table !== table) throw invalid(source, `its contract is that of another table than "table"`);
  return {
    ...{ format: manifestFormat, table, version, createdAt },
    place: textOf(fields, "place", source),
    rows: countOf(fields, "rows", source),
    digest: patternOf(fields, "digest", /^[0-9a-f]{32}$/, source),
    contract,
    columns: columnsOf(fields["columns"], contract, source),
    files: filesOf(fields["files"], source),
  };
}

const manifestFields = [
  ...["format", "table", "version", "createdAt", "place", "rows", "digest", "contract", "columns", "files"],
] as const;

type Fields = Readonly<Record<string, Json>>;

function jsonOf(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(source, "it is no JSON", cause);
  }
}

/** All of these fields, and no other. */
function fieldsOf(value: unknown, what: string, names: readonly string[], source: string): Fields {
  if (!isJsonObject(value)) throw invalid(source, `${what} is no JSON object`);
  const missing = names.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) throw invalid(source, `${what} has no field "${missing}"`);
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  if (unknown !== undefined) throw invalid(source, `${what} has the unknown field ${JSON.stringify(unknown)}`);
  return value;
}

function textOf(fields: Fields, name: string, source: string): string {
  const value = fields[name];
  if (typeof value === "string" && value !== "") return value;
  throw invalid(source, `"${name}" is no text`);
}

function patternOf(fields: Fields, name: string, pattern: RegExp, source: string): string {
  const text = textOf(fields, name, source);
  if (pattern.test(text)) return text;
  throw invalid(source, `"${name}" is not what it should look like`);
}

function countOf(fields: Fields, name: string, source: string): number {
  const value = fields[name];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(source, `"${name}" is no count`);
}

function contractOf(value: Json | undefined, source: string): Contract {
  try {
    return contractFromJson(value, source);
  } catch (cause) {
    throw invalid(source, "its contract has a mistake", cause);
  }
}

/** Columns follow from the contract but for lineage: whatever else they say is a mistake. */
function columnsOf(value: Json | undefined, contract: Contract, source: string): SinkColumn[] {
  const given = JSON.stringify(value);
  for (const lineage of [false, true]) {
    const columns = backupColumns(contract, lineage);
    if (JSON.stringify(columns) === given) return columns;
  }
  throw invalid(source, `"columns" are not those of its contract`);
}

function filesOf(value: Json | undefined, source: string): BackupFile[] {
  const list: readonly unknown[] = Array.isArray(value) ? (value as readonly unknown[]) : [];
  if (list.length !== backupFormats.length) throw invalid(source, `"files" are not ${backupFormats.length} files`);
  return backupFormats.map((format, index) => {
    const fields = fieldsOf(list[index], `file ${index}`, ["name", "format", "bytes", "sha256"], source);
    if (fields["format"] !== format) throw invalid(source, `file ${index} is not of the format ${format}`);
    // A name from a manifest is never a way into other places.
    const name = fileNames[format];
    if (fields["name"] !== name) throw invalid(source, `the file of the format ${format} is not called ${name}`);
    const sha256 = patternOf(fields, "sha256", /^[0-9a-f]{64}$/, source);
    return { name, format, bytes: countOf(fields, "bytes", source), sha256 };
  });
}

/** How a contract differs from that of a backup, in what rows are kept by; undefined when it does not. */
export function differenceOf(manifest: BackupManifest, today: Contract): string | undefined {
  const before = describe(manifest.contract);
  const now = describe(today);
  for (const name of new Set([...before.columns.keys(), ...now.columns.keys()])) {
    const [was, is] = [before.columns.get(name), now.columns.get(name)];
    if (was === is) continue;
    if (is === undefined) return `it has the column "${name}", which the contract lacks`;
    if (was === undefined) return `it lacks the column "${name}" of the contract`;
    return `its column "${name}" is ${was}, and in the contract it is ${is}`;
  }
  if (before.key === now.key) return undefined;
  return `its key is (${before.key}), and the contract's is (${now.key})`;
}

function describe(contract: Contract): { readonly columns: ReadonlyMap<string, string>; readonly key: string } {
  const columns = backupColumns(contract, false).map(({ name, type, precision, scale }) => {
    return [name, type === "decimal" ? `decimal(${precision},${scale})` : type] as const;
  });
  return { columns: new Map(columns), key: keyColumns(contract).toSorted().join(", ") };
}

export function invalid(source: string, why: string, cause?: unknown): MillraceError {
  return new MillraceError("BACKUP_INVALID", `The backup ${source} cannot be restored: ${why}`, {
    remedy: "Nothing was changed. Restore another version, or the other format of this one.",
    at: { source },
    cause,
  });
}
