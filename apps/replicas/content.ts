import type { FileRelation, ReplicaContent, ReplicaEntry, Ticket } from "../../src/index.ts";
import { type CleanedRelation, keyOf, quoted } from "./cleaning.ts";

/** What is known of a data file before it is read. */
export interface FileFacts {
  readonly replica: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly loadDttm: string;
}

/** What of a file went where. */
export interface LoadedFacts {
  readonly rows: number;
  readonly columns: number;
  /** Records that could not be read, and rows without a key. */
  readonly rejected: number;
  /** Rows whose key a later row has too: the later one counts. */
  readonly replaced: number;
  /** The column that the key is of; undefined when it is made of the row's number. */
  readonly key: string | undefined;
}

const units = ["bytes", "KB", "MB", "GB", "TB"] as const;

/** `689.7 KB`. */
export function sizeText(bytes: number): string {
  let [size, unit] = [bytes, 0];
  for (; size >= 1024 && unit < units.length - 1; unit += 1) size /= 1024;
  return `${size.toFixed(1)} ${units[unit]}`;
}

/** What is said of a replica from when it is registered. */
export function fileMeta({ replica, path, sizeBytes, loadDttm }: FileFacts): Map<string, string> {
  return new Map([
    ["DB_NAME", replica],
    ["LOAD_DTTM", loadDttm],
    ["FROMFPATH", path],
    ["FILESIZE", sizeText(sizeBytes)],
  ]);
}

/** What is said of it besides when it is loaded. */
export function contentMeta(
  facts: FileFacts,
  rows: number,
  { columns, findings }: CleanedRelation,
): Map<string, string> {
  const { constant, duplicated, missing } = findings;
  return new Map([
    ...fileMeta(facts),
    ["COLUMNS", JSON.stringify(columns.map(({ name }) => name))],
    ["DF_SHAPE", `[${rows}, ${columns.length}]`],
    ["ZERO_STD_COLS", JSON.stringify(constant.map(({ name }) => name))],
    ["ZERO_STD_COLS_VALUES", JSON.stringify(Object.fromEntries(constant.map(({ name, value }) => [name, [value]])))],
    ["DUPLICATED_COLS", JSON.stringify(Object.fromEntries(duplicated))],
    ["MISSING_DATA_COL_NAMES", JSON.stringify(missing.map(({ name }) => name))],
    ["MISSING_DATA_COUNT", JSON.stringify(missing.map(({ count }) => count))],
  ]);
}

/** A cleaned relation as the content of a replica, and what becomes of its rows. */
export async function contentOf(
  given: FileRelation,
  cleaned: CleanedRelation,
  ticket: Ticket,
  facts: FileFacts & { readonly id: string },
): Promise<{ readonly content: ReplicaContent; readonly loaded: LoadedFacts }> {
  const { connection } = given;
  const key = keyOf(
    cleaned.columns.map(({ name }) => name),
    ticket,
  );
  const keySql = key === undefined ? "md5(cast(rowid as varchar))" : `cast(${quoted(key)} as varchar)`;
  const counts = `select count(*) as n, count(${keySql}) as keys, count(distinct ${keySql}) as distinct_keys from ${cleaned.relation}`;
  const [found = {}] = await connection.all(counts);
  const [rows, keys, distinct] = [found["n"], found["keys"], found["distinct_keys"]].map(Number) as [
    number,
    number,
    number,
  ];
  const isUnique = keys === distinct;
  const loaded = {
    rows: distinct,
    columns: cleaned.columns.length,
    rejected: given.rejected + rows - keys,
    replaced: keys - distinct,
    key,
  };
  const sql = entriesSql(cleaned, key, keySql, isUnique);
  const meta = contentMeta(facts, rows, cleaned);
  return { content: { id: facts.id, meta, entries: entriesOf(given, sql) }, loaded };
}

function entriesSql(
  { relation, columns }: CleanedRelation,
  key: string | undefined,
  keySql: string,
  isUnique: boolean,
): string {
  const values = columns.filter(({ name }) => name !== key).map(jsonValue);
  const list = values.length === 0 ? "'[]'" : `cast(json_array(${values.join(", ")}) as varchar)`;
  const rows = `select ${keySql} as key, ${list} as value, rowid as place from ${relation} where ${keySql} is not null`;
  if (isUnique) return `select key, value from (${rows}) order by place`;
  // Of rows with one key the last counts, where the first stood.
  const placed = `select key, value, min(place) over (partition by key) as first, row_number() over (partition by key order by place desc) as back from (${rows})`;
  return `select key, value from (${placed}) where back = 1 order by first`;
}

/** JSON has neither NaN nor dates; what is JSON already stays the text that it is. */
function jsonValue({ name, type }: { readonly name: string; readonly type: string }): string {
  const column = quoted(name);
  if (type === "DOUBLE" || type === "FLOAT") return `case when isfinite(${column}) then ${column} end`;
  if (/^(BOOLEAN|U?(TINY|SMALL|BIG)INT|U?INTEGER|HUGEINT|DECIMAL)/.test(type)) return column;
  return `cast(${column} as varchar)`;
}

async function* entriesOf({ connection }: FileRelation, sql: string): AsyncGenerator<readonly ReplicaEntry[]> {
  for await (const rows of connection.stream(sql)) {
    yield rows.map(({ key, value }) => ({ key: textOf(key), value: textOf(value) }));
  }
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  throw new TypeError("both are text, as the query says");
}
