import type { Position } from "../core/checkpoint.ts";
import type { Contract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import type { SourceOptions } from "../core/pipeline.ts";
import { nearestName } from "../formats/nearest.ts";
import { filePosition, isDone, partsOf } from "../formats/position.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { FileEntry, Files } from "../ports/files.ts";
import type { KnownLanes, Lane, LaneReader, Source } from "../ports/source.ts";
import {
  contentOf,
  earlierLanes,
  endedOpen,
  endOf,
  generationOf,
  laneId,
  parseLaneId,
  pathOfSource,
} from "./file-identity.ts";
import { filesAt } from "./source-files.ts";
import type { ReadyGate } from "./file-ready.ts";
import { type FileSettings, type Inspected, inspectFile, noticesOf, openReader } from "./file-inspect.ts";
import { blockBytes, type Survey } from "./file-survey.ts";

export interface FileSourceOptions {
  /** A path, a glob or a URL of files. */
  readonly url: string;
  readonly options: SourceOptions;
  /** Undefined while it is to be inferred: fields are then called as the header says, or `column0`, `column1`, … */
  readonly contract: Contract | undefined;
  /** Content that is loaded already is loaded once more. */
  readonly again: boolean;
  /** A file that grew is read from its start nevertheless, since what was loaded of it is replaced. */
  readonly fromStart?: boolean;
  readonly batchBytes?: number;
  /** Which files may be read yet; all when absent. */
  readonly gate?: ReadyGate;
  /** What else ends with the source. */
  readonly onClose?: () => Promise<void>;
  readonly context: Pick<AdapterContext, "engine" | "pause" | "notice">;
}

/** The source over files of this machine. Throws URL_INVALID; files are looked at when its lanes are asked for. */
export function fileSource(options: FileSourceOptions): Source {
  return sourceOfFiles(filesAt(options.url, options.context), options);
}

/** The source over the files of any place. */
export function sourceOfFiles(files: Files, options: FileSourceOptions): Source {
  return new FileSource(files, options);
}

const archiveFolder = "done";

/** What may be wrong with one file of a folder that is followed. */
const aboutOneFile: ReadonlySet<string> = new Set([
  ...["FILE_NOT_A_FILE", "FILE_UNREADABLE", "FILE_CHANGED", "FILE_FORMAT", "FILE_TRUNCATED", "FILE_EXPANDS"],
  ...["HEADER_MISMATCH", "COLUMNS_MISMATCH"],
]);

class FileSource implements Source {
  readonly shown: string;
  readonly #files: Files;
  readonly #options: FileSourceOptions;
  readonly #settings: FileSettings;
  /** By lane id without part. */
  readonly #inspected = new Map<string, Inspected>();
  /** Paths of the same content, by lane id. */
  readonly #paths = new Map<string, Set<string>>();
  #isGuessTold = false;
  #isRefusalTold = false;

  constructor(files: Files, options: FileSourceOptions) {
    this.shown = files.shown;
    this.#files = files;
    this.#options = options;
    const { rejectBytes, recordBytes, batchRecords } = limit;
    this.#settings = {
      files,
      options: options.options,
      columns: options.contract?.columns,
      bounds: { batchBytes: options.batchBytes ?? limit.batchBytes, batchRecords, recordBytes, rejectBytes },
      engine: options.context.engine,
      notice: options.context.notice,
    };
  }

  async *lanes(
    known: KnownLanes,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<Lane> {
    if (options.follow) {
      yield* this.#follow(known, options.signal);
      return;
    }
    const all = await this.#list();
    if (all.length === 0) throw await this.#missing();
    const entries = await this.#readyNow(all, options.signal);
    if (entries.length < all.length) {
      this.#options.context.notice(`${all.length - entries.length} of ${all.length} files are not ready and are left`);
    }
    const { settle = "keep" } = this.#options.options;
    for (const entry of entries) {
      if (options.signal.aborted) return;
      const lane = await this.#laneOf(entry, known, settle !== "keep");
      if (lane !== undefined) yield lane;
    }
  }

  divide(lane: Lane, position: Position): readonly Lane[] | undefined {
    return partsOf(filePosition(position))?.map((initial, part) => ({
      id: `${lane.id}#${part}`,
      source: lane.source,
      initial,
      sizeBytes: (initial.end ?? initial.sizeBytes) - initial.byte,
    }));
  }

  async open(lane: Lane, position: Position): Promise<LaneReader> {
    const inspected = this.#inspected.get(contentOf(lane.id)) ?? (await this.#inspectAgain(lane));
    return openReader(inspected, filePosition(position), this.#settings);
  }

  isDone(_: Lane, position: Position): boolean {
    return isDone(filePosition(position));
  }

  async settle(lane: Lane): Promise<void> {
    const { settle = "keep" } = this.#options.options;
    const { gate } = this.#options;
    const id = contentOf(lane.id);
    const survey = this.#inspected.get(id)?.survey;
    const isMeant = settle !== "keep" || gate !== undefined;
    for (const path of isMeant ? (this.#paths.get(id) ?? []) : []) {
      if (survey === undefined || !(await this.#isAsRead(path, survey))) continue;
      await this.#settleFile(path, settle);
      await gate?.settle(path, settle, archiveFolder);
    }
    // A service meets files for ever.
    this.#inspected.delete(id);
    this.#paths.delete(id);
  }

  /** A server that lets files be read alone is told of once: by its content each is read once nevertheless. */
  async #settleFile(path: string, settle: "keep" | "delete" | "archive"): Promise<void> {
    try {
      if (settle === "delete") await this.#files.remove(path);
      if (settle === "archive") await this.#files.move(path, archiveFolder);
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== "SINK_DENIED") throw error;
      if (!this.#isRefusalTold) {
        const what = "What is loaded stays where it is, and is not loaded again";
        this.#options.context.notice(`${what}: ${error.message}. ${error.remedy}`);
      }
      this.#isRefusalTold = true;
    }
  }

  async close(): Promise<void> {
    await this.#options.onClose?.();
    await this.#files.close();
  }

  /** New files and changed ones, each when two looks have found it the same. Ends when the signal aborts. */
  async *#follow(known: KnownLanes, signal: AbortSignal): AsyncIterable<Lane> {
    const seen = new Map<string, string>();
    const read = new Map<string, string>();
    while (!signal.aborted) {
      const entries = await this.#readyOf(await this.#list());
      const listed = new Set(entries.map(({ path }) => path));
      for (const path of [...seen.keys()]) {
        if (listed.has(path)) continue;
        seen.delete(path);
        read.delete(path);
      }
      for (const entry of entries) {
        const isStable = seen.get(entry.path) === entry.version;
        seen.set(entry.path, entry.version);
        if (!isStable || read.get(entry.path) === entry.version) continue;
        read.set(entry.path, entry.version);
        const lane = await this.#readableLane(entry, known);
        if (lane !== undefined) yield lane;
        if (signal.aborted) return;
      }
      try {
        await this.#options.context.pause(this.#options.options.pollMs ?? this.#files.pollMs ?? limit.pollMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
    }
  }

  async #list(): Promise<readonly FileEntry[]> {
    const entries = await this.#files.list();
    if (this.#options.options.settle !== "archive") return entries;
    return entries.filter(({ path }) => path.split(/[\\/]/).at(-2) !== archiveFolder);
  }

  /** Of a look that is not repeated: as long as it takes to tell. */
  async #readyNow(all: readonly FileEntry[], signal: AbortSignal): Promise<readonly FileEntry[]> {
    const ready = await this.#readyOf(all);
    const { tellsAfterMs } = this.#options.gate ?? {};
    if (tellsAfterMs === undefined) return ready;
    await this.#options.context.pause(tellsAfterMs, signal);
    return this.#readyOf(await this.#list());
  }

  async #readyOf(entries: readonly FileEntry[]): Promise<readonly FileEntry[]> {
    return this.#options.gate === undefined ? entries : this.#options.gate.ready(entries);
  }

  /** A file that cannot be read as it is keeps no other from being read: it is told, and looked at again when it changes. */
  async #readableLane(entry: FileEntry, known: KnownLanes): Promise<Lane | undefined> {
    try {
      return await this.#laneOf(entry, known, true);
    } catch (error) {
      if (!(error instanceof MillraceError) || !aboutOneFile.has(error.code)) throw error;
      this.#options.context.notice(`${entry.path} is left as it is: ${error.message}. ${error.remedy}`);
      return undefined;
    }
  }

  /** `mayLeave`: other processes share the folder and settle what they have loaded. */
  async #laneOf({ path }: FileEntry, known: KnownLanes, mayLeave: boolean): Promise<Lane | undefined> {
    const { again, fromStart = false } = this.#options;
    const prefixSizes = async (sizeBytes: number): Promise<number[]> => {
      if (again || fromStart) return [];
      return (await earlierLanes(path, sizeBytes, known)).map((earlier) => earlier.sizeBytes);
    };
    const inspected = await this.#inspectListed(path, prefixSizes, mayLeave);
    if (inspected === undefined) return undefined;
    this.#tellGuess(inspected);
    const { hash } = inspected;
    const generation = await generationOf(hash, again, known);
    const lane = laneOf(inspected, generation);
    if (await this.#isTwin(lane, path, known)) return undefined;
    const isKnown = generation > 1 || (await known.get(lane.id)) !== undefined;
    if (!isKnown) await this.#refuseOther(path, known);
    return isKnown || again || fromStart ? this.#remember(lane, inspected) : this.#grownLane(lane, inspected, known);
  }

  /** With `sameName: "refuse"`. Throws FILE_CHANGED for content under a name that had other content loaded. */
  async #refuseOther(path: string, known: KnownLanes): Promise<void> {
    if (this.#options.options.sameName !== "refuse" || (await known.of(path)).length === 0) return;
    throw new MillraceError("FILE_CHANGED", `${path} has other content than what was loaded under its name`, {
      remedy: "Give the file a name of its own, or leave sameName out.",
      at: { source: path },
    });
  }

  async #inspectListed(
    path: string,
    prefixSizesOf: (sizeBytes: number) => Promise<number[]>,
    mayLeave: boolean,
  ): Promise<Inspected | undefined> {
    try {
      return await inspectFile(path, prefixSizesOf, this.#settings);
    } catch (error) {
      if (!mayLeave || !(error instanceof MillraceError) || error.code !== "FILE_MISSING") throw error;
      this.#options.context.notice(`${path} was moved or removed before it was read`);
      return undefined;
    }
  }

  /** Once: files of one source are written alike. */
  #tellGuess(inspected: Inspected): void {
    const notices = noticesOf(inspected);
    if (this.#isGuessTold || notices.length === 0) return;
    this.#isGuessTold = true;
    for (const notice of notices) this.#options.context.notice(notice);
  }

  /** Content that another file of this run has and that is not loaded yet: one lane, loaded once, settled with it. */
  async #isTwin(lane: Lane, path: string, known: KnownLanes): Promise<boolean> {
    const paths = this.#paths.get(lane.id);
    if (paths === undefined || paths.has(path)) return false;
    const found = await known.get(lane.id);
    if (found !== undefined && (await endOf(found, known)) !== undefined) return false;
    this.#options.context.notice(`${lane.source} has the same content as ${[...paths][0]}; it is loaded once`);
    paths.add(path);
    return true;
  }

  #remember(lane: Lane, inspected: Inspected): Lane {
    this.#inspected.set(lane.id, inspected);
    const paths = this.#paths.get(lane.id) ?? new Set();
    this.#paths.set(lane.id, paths.add(inspected.path));
    return lane;
  }

  /** New content that begins with what was read under this name goes on behind it. */
  async #grownLane(lane: Lane, inspected: Inspected, known: KnownLanes): Promise<Lane> {
    const { survey } = inspected;
    const earlier = (await earlierLanes(lane.source, survey.sizeBytes, known)).find(
      ({ hash, sizeBytes }) => survey.prefixes.get(sizeBytes) === hash,
    );
    if (earlier === undefined) return this.#remember(lane, inspected);
    const end = await endOf(earlier.checkpoint, known);
    if (end === undefined) return this.#unfinished(earlier.checkpoint.lane, inspected, earlier.sizeBytes);
    if (end.open === true) throw endedOpen(lane.source, earlier.sizeBytes);
    const { row, byte, line } = end;
    const { sizeBytes, end: laneEnd } = inspected.initial;
    const initial = { row, byte, line, sizeBytes, ...(laneEnd === undefined ? {} : { end: laneEnd }) };
    return this.#remember({ ...lane, initial, sizeBytes: sizeBytes - earlier.sizeBytes }, inspected);
  }

  /** Another process may still be at it: the earlier content first, under its own lane. */
  #unfinished(id: string, inspected: Inspected, sizeBytes: number): Lane {
    const { path, survey, initial } = inspected;
    this.#options.context.notice(
      `${path} grew by ${survey.sizeBytes - sizeBytes} bytes since it was begun; run again to read them`,
    );
    const earlier = { ...inspected, survey: beginningOf(survey, sizeBytes) };
    const { split: _, ...start } = initial;
    const position = { ...start, sizeBytes, ...(start.end === undefined ? {} : { end: sizeBytes }) };
    return this.#remember({ id, source: path, initial: position, sizeBytes }, earlier);
  }

  async #inspectAgain(lane: Lane): Promise<Inspected> {
    const inspected = await inspectFile(pathOfSource(lane.source), async () => [], this.#settings);
    if (inspected.hash !== parseLaneId(lane.id)?.hash) {
      throw new MillraceError("FILE_CHANGED", `${lane.source} is not what it was when it was begun`, {
        remedy: "Put the earlier content back to go on, or load the new content as a file of its own.",
        at: { source: lane.source },
      });
    }
    this.#remember({ ...lane, id: contentOf(lane.id) }, inspected);
    return inspected;
  }

  /** Whether a path still holds what was read: what came since must not be settled with it. */
  async #isAsRead(path: string, survey: Survey): Promise<boolean> {
    const entry = (await this.#files.list()).find((found) => found.path === path);
    if (entry === undefined || (entry.version === survey.version && entry.sizeBytes === survey.sizeBytes)) return true;
    const { survey: now } = await inspectFile(path, async () => [], this.#settings);
    if (now.hash === survey.hash) return true;
    this.#options.context.notice(`${path} changed since it was read and is kept`);
    return false;
  }

  async #missing(): Promise<MillraceError> {
    const nearby = await this.#files.nearby();
    const wanted = this.#files.shown.replace(/^file:/, "");
    const nearest = nearestName(wanted, nearby);
    const others = [...nearby].sort().slice(0, 5);
    const there = others.length === 0 ? "" : ` Beside it are ${others.join(", ")}${nearby.length > 5 ? ", …" : ""}.`;
    return new MillraceError("FILE_MISSING", `There is no file ${wanted}`, {
      remedy: nearest === undefined ? `Check the path.${there}` : `Did you mean ${nearest}?${there}`,
      at: { source: wanted },
    });
  }
}

function laneOf({ source, hash, survey, initial }: Inspected, generation: number): Lane {
  const id = laneId({ hash, generation, part: undefined });
  // A header is no part of what is to be read; in a compressed file nobody knows its size there.
  const sizeBytes = initial.end === undefined ? survey.sizeBytes : initial.end - initial.byte;
  return { id, source, initial, sizeBytes };
}

/** The survey of a file's first `sizeBytes` bytes, which were hashed as a prefix. */
function beginningOf(survey: Survey, sizeBytes: number): Survey {
  const hash = survey.prefixes.get(sizeBytes);
  if (hash === undefined) throw new TypeError("the beginning of the file was not hashed");
  const digests = [...survey.digests.slice(0, Math.floor(sizeBytes / blockBytes)), Buffer.from(hash, "hex")];
  return { ...survey, hash, sizeBytes, digests };
}
