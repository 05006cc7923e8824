import { availableParallelism } from "node:os";
import { MillraceError } from "../core/error.ts";
import { quoteLiteral } from "../core/identifier.ts";
import { limit } from "../core/limit.ts";
import type { Pipeline, SourceOptions } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import type { Reject } from "../core/reject.ts";
import { withoutPattern } from "../engine/parquet-rows.ts";
import { describedColumns, StagedRecords } from "../engine/staged.ts";
import { unreadableParquet } from "../formats/parquet/layout.ts";
import { sniff } from "../formats/sniff.ts";
import type { RawBatch, Source } from "../ports/source.ts";
import type { EngineConnection } from "../ports/engine.ts";
import type { ReadColumn } from "../ports/relation.ts";
import { type Measured, measureColumns, type ProfiledRelation, profileOf } from "../transforms/profile/measure.ts";
import { type ColumnChart, chartsOf } from "../transforms/profile/chart.ts";
import type { Profile } from "../transforms/profile/profile.ts";
import { interrupted } from "./interruption.ts";
import { nothingKnown } from "./lane-services.ts";
import { isRemote } from "./schemes.ts";
import type { Session } from "./session.ts";
import { filesAt } from "./source-files.ts";

export interface ProfileRequest {
  /** A path, a glob or a `file:` URL. */
  readonly from: string;
  readonly options: SourceOptions;
  /** Whether charts are wanted: they take another look at the rows. */
  readonly charts: boolean;
  readonly signal: AbortSignal;
}

/** What the files hold. */
export interface ProfileResult extends Profile {
  /** Of the files together. */
  readonly source: string;
  readonly files: number;
  /** Records that could not be read, which are not among `rows`; the first of them. */
  readonly malformed: number;
  readonly rejects: readonly { readonly source: string; readonly reject: Reject }[];
  /** One for each column, where they were asked for. */
  readonly charts: readonly ColumnChart[];
}

/** Looks at all records of the files that `from` means. Rows never come to JavaScript; the engine spills what it must. */
export async function profileFiles(request: ProfileRequest, session: Session): Promise<ProfileResult> {
  const parquet = await parquetRelation(request, session);
  return parquet === undefined ? profileRecords(request, session) : profileParquet(request, parquet, session);
}

interface Seen {
  source: string;
  files: number;
  malformed: number;
  readonly rejects: { source: string; reject: Reject }[];
}

async function profileRecords(request: ProfileRequest, session: Session): Promise<ProfileResult> {
  const source = await session.source(pipelineOf(request), undefined, false);
  const staged = await StagedRecords.open(session.engine);
  const seen: Seen = { source: source.shown, files: 0, malformed: 0, rejects: [] };
  try {
    await prepareEngine(staged.connection, session);
    await stage(source, staged, seen, request.signal);
    const { connection, count: rows } = staged;
    const relation = { relation: staged.table, rows, row: "rowid" };
    const guessed = await measureColumns(connection, relation, await staged.guess());
    const wrong = guessed.filter(({ misfits }) => misfits > 0).map(({ profile }) => profile.name);
    const certain = await measureColumns(connection, relation, wrong.length === 0 ? [] : await staged.lookAt(wrong));
    const byName = new Map(certain.map((measured) => [measured.profile.name, measured]));
    const measured = guessed.map((one) => byName.get(one.profile.name) ?? one);
    return await resultOf(request, connection, relation, measured, seen);
  } finally {
    await staged.close();
  }
}

/** The next batch is read while one is staged. */
async function stage(source: Source, staged: StagedRecords, seen: Seen, signal: AbortSignal): Promise<void> {
  for await (const lane of source.lanes(nothingKnown, { follow: false, signal })) {
    if (seen.files === 0) seen.source = lane.source;
    seen.files += 1;
    const reader = await source.open(lane, lane.initial, signal);
    let ahead: Promise<RawBatch | undefined> | undefined;
    try {
      for (let batch = await reader.next(); batch !== undefined; batch = await ahead) {
        if (signal.aborted) throw interrupted();
        ahead = reader.next();
        ahead.catch(() => undefined); // awaited in the next round: it must not count as unhandled meanwhile
        await staged.add(batch.records, batch.count);
        take(batch, lane.source, seen);
      }
    } finally {
      await ahead?.catch(() => undefined); // the first failure is the one to tell
      await reader.close();
    }
  }
}

function take({ malformed }: RawBatch, source: string, seen: Seen): void {
  seen.malformed += malformed.length;
  const room = limit.rejectsShown - seen.rejects.length;
  seen.rejects.push(...malformed.slice(0, room).map((reject) => ({ source, reject })));
}

/** Nothing else is done meanwhile: the engine may use all cores, as far as its memory goes. */
async function prepareEngine(connection: EngineConnection, { budget }: Session): Promise<void> {
  const threads = Math.floor(budget.engineBytes / threadBytes);
  // A quarter of its share is for what it takes besides the buffers that it counts.
  await connection.run(`set memory_limit = '${Math.floor((budget.engineBytes * 3) / 4 / 1024)}KiB'`);
  await connection.run(`set threads = ${Math.max(1, Math.min(threads, availableParallelism()))}`);
}

/** What a thread of the engine that counts and sorts out different values may take besides the table. */
const threadBytes = 64 * 1024 * 1024;

interface ParquetFiles {
  readonly relation: string;
  readonly paths: readonly string[];
}

/** What the engine reads the files by when all of them are Parquet: their types are known, and nothing is staged. */
async function parquetRelation({ from, options }: ProfileRequest, session: Session): Promise<ParquetFiles | undefined> {
  const place = parsePlace(from);
  if (place.scheme !== "file" && !isRemote(place)) {
    throw new MillraceError("SCHEME_UNKNOWN", `Files are profiled, and ${place.shown} is none`, {
      remedy: "Give a path, a pattern or a file: URL.",
    });
  }
  const files = session.closing(filesAt(from, session.context));
  const paths = (await files.list()).map(({ path }) => path);
  if (paths.length === 0) return undefined;
  const local: string[] = [];
  for (const path of paths) {
    const file = await files.open(path);
    try {
      const { format } = await sniff((start) => file.read(start, file.sizeBytes), path, options);
      if (format !== "parquet") return undefined;
    } finally {
      await file.close();
    }
    local.push(quoteLiteral(withoutPattern(await files.local(path))));
  }
  return { relation: `read_parquet([${local.join(", ")}], union_by_name = true, file_row_number = true)`, paths };
}

async function profileParquet(
  request: ProfileRequest,
  { relation: read, paths }: ParquetFiles,
  session: Session,
): Promise<ProfileResult> {
  const [source = ""] = paths;
  const connection = await session.engine.connect();
  try {
    await prepareEngine(connection, session);
    const [counted] = await connection.all(`select count(*) as n from ${read}`);
    const relation = { relation: read, rows: Number(counted?.["n"]), row: "file_row_number" };
    const columns = (await describedColumns(connection, read)).filter(({ name }) => name !== "file_row_number");
    const measured = await measureColumns(connection, relation, columns);
    const seen = { source, files: paths.length, malformed: 0, rejects: [] };
    return await resultOf(request, connection, relation, measured, seen);
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw unreadableParquet(source, cause);
  } finally {
    connection.close();
  }
}

async function resultOf(
  { charts, signal }: ProfileRequest,
  connection: EngineConnection,
  relation: ProfiledRelation,
  measured: readonly Measured[],
  { source, files, malformed, rejects }: Seen,
): Promise<ProfileResult> {
  if (signal.aborted) throw interrupted();
  const profile = await profileOf(connection, relation, measured);
  const columns: ReadColumn[] = measured.map(({ column }) => column);
  const drawn = charts ? await chartsOf(connection, relation, columns, profile) : [];
  return { ...profile, source, files, malformed, rejects, charts: drawn };
}

function pipelineOf({ from, options }: ProfileRequest): Pipeline {
  return { kind: "pipeline", name: "profile", from, source: options, contract: undefined, steps: [], to: "", sink: {} };
}
