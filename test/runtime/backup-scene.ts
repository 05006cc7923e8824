import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Contract } from "../../src/core/contract.ts";
import { keyColumns } from "../../src/core/contract.ts";
import { MillraceError } from "../../src/core/error.ts";
import { quoteIdentifier } from "../../src/core/identifier.ts";
import {
  bigint,
  boolean,
  date,
  decimal,
  double,
  integer,
  json,
  table,
  text,
  timestamp,
  uuid,
} from "../../src/core/table.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { Archive } from "../../src/ports/archive.ts";
import type { EngineRow, EngineValue } from "../../src/ports/engine.ts";
import type { Sink, Target } from "../../src/ports/sink.ts";
import { Backups } from "../../src/runtime/backup.ts";
import { backupColumns } from "../../src/runtime/backup-manifest.ts";
import { openArchive, openSink } from "../../src/runtime/schemes.ts";
import { RowEngine } from "../conformance/engine-rows.ts";

export const people = table("people", { id: integer().key(), name: text() });

/** A column of each type, and decimals of shapes that engines show in their own ways. */
export const everything = table("every thing", {
  id: integer().key(),
  whole: bigint().nullable(),
  ratio: double().nullable(),
  price: decimal(38, 10).nullable(),
  part: decimal(4, 4).nullable(),
  many: decimal(20, 0).nullable(),
  flag: boolean().nullable(),
  note: text().nullable(),
  day: date().nullable(),
  at: timestamp().nullable(),
  code: uuid().nullable(),
  extra: json().nullable(),
});

type Values = readonly (string | null)[];

/** Of the columns of `everything` behind `id`, as text. */
export const awkward: readonly Values[] = [
  Array.from({ length: 11 }, () => null),
  [
    ...["-9223372036854775808", "5e-324", "-9999999999999999999999999999.9999999999", "-0.9999"],
    ...["-99999999999999999999", "false", "", "0001-01-01", "0001-01-01 00:00:00"],
    ...["00000000-0000-0000-0000-000000000000", "null"],
  ],
  [
    ...["9223372036854775807", "1.7976931348623157e308", "9999999999999999999999999999.9999999999", "0.9999"],
    ...["99999999999999999999", "true", '"quoted", and \\ a comma', "9999-12-31", "9999-12-31 23:59:59.999999"],
    ...["ffffffff-ffff-ffff-ffff-ffffffffffff", '{"a": [1, 2.5, null, "x\\"y"], "ä": {}}'],
  ],
  [
    ...["0", "-0", "0.0000000001", "0.0001", "0", "true", "line\r\nend\rand\nmore\ttab", "1969-12-31"],
    ...["1969-12-31 23:59:59.999999", "6f9619ff-8b86-d011-b42d-00c04fc964ff", '"text"'],
  ],
  [
    ...["9007199254740993", "0.1", "0.5", "-0.5000", "9007199254740993", "false", "\uFEFFmark ß€😀 \u2028 \u0001 ,"],
    ...["2024-02-29", "2024-02-29 12:34:56.000001", "6f9619ff-8b86-d011-b42d-00c04fc964fe", "[]"],
  ],
  [
    ...["-1", "0.30000000000000004", "-1.0000000001", "0.0000", "-1", "true", "null", "1970-01-01"],
    ...["1970-01-01 00:00:00", "6f9619ff-8b86-d011-b42d-00c04fc964fd", "true"],
  ],
  [
    ...["1", "-1e-7", "1", "0.1", "1", "false", "\\N", "2000-12-31"],
    ...["2000-12-31 00:00:00.1", "6f9619ff-8b86-d011-b42d-00c04fc964fc", "12.5"],
  ],
];

export function awkwardRows(): EngineRow[] {
  const names = Object.keys(everything.columns).slice(1);
  return awkward.map((values, index) => ({
    id: index * 7 - 20,
    ...Object.fromEntries(names.map((name, at) => [name, typedJson(name, values[at] ?? null)])),
    _millrace: index === 1 ? null : (BigInt(index) << 24n) + BigInt(index),
  }));
}

function typedJson(name: string, value: string | null): EngineValue {
  return name === "extra" && value !== null ? (JSON.parse(value) as EngineValue) : value;
}

/** An engine, a local folder, an archive in it, and a clock that is moved by hand. */
export class BackupScene implements AsyncDisposable {
  readonly engine: RowEngine;
  readonly folder: string;
  readonly context: AdapterContext;
  readonly notices: string[] = [];
  readonly #opened: { close(): Promise<void> }[] = [];
  #nowMs = Date.parse("2022-11-30T10:15:00.123Z");

  private constructor(engine: RowEngine, folder: string) {
    this.engine = engine;
    this.folder = folder;
    this.context = {
      engine: engine.engine,
      now: () => this.#nowMs,
      pause: async (ms, signal) => {
        signal?.throwIfAborted();
        this.#nowMs += ms;
        await new Promise((resolve) => setImmediate(resolve));
      },
      notice: (said) => void this.notices.push(said),
    };
  }

  static async open(): Promise<BackupScene> {
    return new BackupScene(await RowEngine.open(), await mkdtemp(join(tmpdir(), "millrace-backup-[*]-")));
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  async sink(url = `duckdb:${this.path("place.db")}`): Promise<Sink> {
    const sink = await openSink(url, {}, this.context);
    this.#opened.push(sink);
    await sink.open();
    return sink;
  }

  async archive(url = `file:${this.path("archive")}`): Promise<Archive> {
    const archive = await openArchive(url, this.context);
    this.#opened.push(archive);
    return archive;
  }

  async backups(archive?: Archive): Promise<Backups> {
    return new Backups({
      archive: archive ?? (await this.archive()),
      engine: this.engine.engine,
      context: this.context,
      folder: this.path("work"),
    });
  }

  /** Names in the folder for temporary files; none when it is not there. */
  temporary(): Promise<string[]> {
    return readdir(this.path("work")).catch(() => []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.#opened.toReversed()) await opened.close();
    await this.engine[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

let lanes = 0;

/** Makes these rows the table's, as a load would. With `lineage` they bring their `_millrace`. */
export async function fill(
  scene: BackupScene,
  sink: Sink,
  contract: Contract,
  rows: readonly EngineRow[],
  lineage = false,
): Promise<void> {
  lanes += 1;
  const columns = backupColumns(contract, false);
  const target: Target = {
    ...{ pipeline: "fill", table: contract.table, columns, lineage },
    ...{ key: keyColumns(contract), mode: "replace" },
  };
  await sink.prepare(target);
  const claim = await sink.claim("fill", `lane ${lanes}`, "rows", { row: 0 });
  const [batch = 0n] = await sink.reserveBatches(1);
  const made = await scene.engine.makeRows(backupColumns(contract, lineage), rows);
  const unit = await sink.begin(target, { replace: true });
  try {
    await unit.write({
      ...{ claim, batch, run: "run", version: "v", source: "rows", format: {}, rejects: [], filtered: 0 },
      ...{ start: { row: 0 }, end: { row: rows.length }, read: rows.length, rows: made },
      startedAt: "2022-11-30T00:00:00Z",
      refuse: (row, reason) => ({
        ...{ record: row, line: undefined, offset: BigInt(row), bytes: Buffer.from(""), truncated: false },
        reasons: [reason],
      }),
    });
    await unit.commit();
  } finally {
    await unit.rollback();
  }
}

export const persons = (count: number, from = 0): EngineRow[] =>
  Array.from({ length: count }, (_, index) => ({ id: from + index, name: `name ${from + index}` }));

/** All rows of a table by its key, as people see them, and json to the letter. */
export async function rowsOf(sink: Sink, contract: Contract): Promise<EngineRow[]> {
  const order = keyColumns(contract).map(quoteIdentifier).join(", ");
  const jsonText = Object.entries(contract.columns)
    .filter(([, { type }]) => type === "json")
    .map(([name]) => `, cast(${quoteIdentifier(name)} as varchar) as ${quoteIdentifier(`${name} text`)}`);
  const rows: EngineRow[] = [];
  const sql = `select *${jsonText.join("")} from ${quoteIdentifier(contract.table)} order by ${order}`;
  for await (const piece of sink.query(sql)) rows.push(...piece);
  return rows;
}

export async function idsOf(sink: Sink): Promise<unknown[]> {
  return (await rowsOf(sink, people)).map(({ id }) => id);
}

export async function failureOf(work: Promise<unknown>): Promise<MillraceError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

/** Changes a file of a backup in a folder; with `honest` the manifest says what the file is now. */
export async function changeFile(
  folder: string,
  name: string,
  change: (bytes: Buffer) => Buffer,
  honest = false,
): Promise<void> {
  const bytes = change(await readFile(join(folder, name)));
  await writeFile(join(folder, name), bytes);
  if (!honest) return;
  await changeManifest(folder, (manifest) => {
    for (const file of manifest["files"] as Record<string, unknown>[]) {
      if (file["name"] !== name) continue;
      file["bytes"] = bytes.length;
      file["sha256"] = createHash("sha256").update(bytes).digest("hex");
    }
  });
}

export async function changeManifest(
  folder: string,
  change: (manifest: Record<string, unknown>) => void,
): Promise<void> {
  const path = join(folder, "manifest.json");
  const manifest = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
  change(manifest);
  await writeFile(path, JSON.stringify(manifest));
}
