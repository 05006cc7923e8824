import type { EngineHost } from "../../ports/engine.ts";
import { MillraceError } from "../../core/error.ts";
import { Attachment } from "./attachment.ts";
import { createFile } from "./create-file.ts";
import { Turns } from "./turns.ts";

/** A file in use, by how many, and whose turn it is to attach or detach it. */
interface Entry {
  readonly turns: Turns;
  attachment: Attachment | undefined;
  uses: number;
}

// DuckDB refuses to attach one file twice in a process, so sinks of one engine share the attachment.
const engines = new WeakMap<EngineHost, Map<string, Entry>>();

/** The right to use an attached file until it is let go. */
export interface Use {
  readonly attachment: Attachment;
  /** The last one to let go detaches the file: see `Attachment.close`. Doing it twice is harmless. */
  release(): Promise<Error | undefined>;
}

/** Attaches the file at the real path `file`, or shares it. Rejects with the engine's error, or SINK_BUSY. */
export async function use(engine: EngineHost, file: string, readOnly: boolean): Promise<Use> {
  const entry = entryOf(engine, file);
  return entry.turns.inTurn(async () => {
    entry.attachment ??= await attach(engine, file, readOnly);
    if (entry.attachment.readOnly && !readOnly) throw readingOnly(file);
    entry.uses += 1;
    return { attachment: entry.attachment, release: releaseOnce(entry) };
  });
}

async function attach(engine: EngineHost, file: string, readOnly: boolean): Promise<Attachment> {
  if (!readOnly) await createFile(engine, file);
  return Attachment.open(engine, file, readOnly);
}

function releaseOnce(entry: Entry): Use["release"] {
  let released: Promise<Error | undefined> | undefined;
  return () => (released ??= entry.turns.inTurn(() => letGo(entry)));
}

async function letGo(entry: Entry): Promise<Error | undefined> {
  entry.uses -= 1;
  if (entry.uses > 0 || entry.attachment === undefined) return undefined;
  const { attachment } = entry;
  entry.attachment = undefined;
  return attachment.close();
}

function entryOf(engine: EngineHost, file: string): Entry {
  const files = engines.get(engine) ?? new Map<string, Entry>();
  engines.set(engine, files);
  const entry = files.get(file) ?? { turns: new Turns(), attachment: undefined, uses: 0 };
  files.set(file, entry);
  return entry;
}

function readingOnly(file: string): MillraceError {
  return new MillraceError("SINK_BUSY", `${file} is being read by this process, which cannot write it meanwhile`, {
    remedy: "Let the query end first.",
  });
}
