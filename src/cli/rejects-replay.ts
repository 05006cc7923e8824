import { MillraceError } from "../core/error.ts";
import { addCounts, type Counts, noCounts } from "../core/ledger.ts";
import { type Mode, modes, type Pipeline } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import { stageNames } from "../core/stage.ts";
import type { MessageFormat } from "../ports/messages.ts";
import type { RejectFilter, Sink } from "../ports/sink.ts";
import { loadConfig, pipelinesOf } from "../runtime/config.ts";
import { keptPipeline, type KeptPipelineOptions } from "../runtime/kept-pipeline.ts";
import { withKey } from "../runtime/load.ts";
import { keptAvro } from "../runtime/message-formats.ts";
import { openToRead } from "../runtime/reading.ts";
import { type ReplayRequest, replayRejects } from "../runtime/replay.ts";
import { holdsRecords } from "../runtime/schemes.ts";
import { Session } from "../runtime/session.ts";
import { chosenStages, stagesOf } from "../runtime/stages.ts";
import { readCorrections } from "./corrections.ts";
import { eventJson } from "./event-json.ts";
import { countText } from "./figures.ts";
import { given, needed } from "./flags.ts";
import { commandLine } from "./invocation.ts";
import { parseId, type RejectsFlags, unknownReject } from "./kept-rejects.ts";
import { namedContract } from "./named-contract.ts";
import { stderr, stdout } from "./screen.ts";

interface ReplayFlags extends RejectsFlags {
  readonly code?: string;
  readonly with?: string;
  readonly contract?: string;
  readonly key?: readonly string[];
  readonly mode?: string;
  readonly registry?: string;
  readonly config?: string;
  readonly memory?: number;
}

/** Which rejects to send again, and what instead of their bytes. */
interface Choice {
  readonly filter: Pick<RejectFilter, "ids" | "code">;
  readonly corrected: ReadonlyMap<bigint, Uint8Array>;
  readonly pipelines: readonly string[];
}

export async function replay(texts: readonly string[], flags: ReplayFlags): Promise<void> {
  const to = needed(flags.to);
  const session = await Session.open({ notice: (text) => stderr.line(text), ...given({ memoryBytes: flags.memory }) });
  try {
    const reader = await openToRead(session, to, flags.stateSchema);
    const choice = await choose(reader, texts.map(parseId), flags);
    const pipelines: KnownPipeline[] = [];
    for (const name of choice.pipelines) pipelines.push(await pipelineOf(reader, name, session, flags));
    await reader.close();
    let counts: Counts = noCounts;
    for (const pipeline of pipelines) counts = addCounts(counts, await replayOf(session, pipeline, choice, flags));
    tell(counts, to, flags);
  } finally {
    await session.close();
  }
}

type KnownPipeline = Awaited<ReturnType<typeof keptPipeline>>;

async function choose(sink: Sink, ids: readonly bigint[], flags: ReplayFlags): Promise<Choice> {
  const corrected = flags.with === undefined ? new Map<bigint, Uint8Array>() : await readCorrections(flags.with, ids);
  const wanted = ids.length > 0 ? ids : [...corrected.keys()];
  if (wanted.length > 0) return chooseByIds(sink, wanted, corrected);
  if (flags.all !== true && flags.code === undefined) {
    throw new MillraceError("USAGE", "Nothing says which rejects to replay", {
      remedy: "Name them by number, or give --code CODE, --with FILE of id and record, or --all.",
    });
  }
  const groups = await sink.records.rejectSummary(flags.pipeline);
  const matching = groups.filter(({ code }) => flags.code === undefined || code === flags.code);
  const pipelines = [...new Set(matching.map(({ pipeline }) => pipeline))];
  return { filter: flags.code === undefined ? {} : { code: flags.code }, corrected, pipelines };
}

async function chooseByIds(sink: Sink, ids: readonly bigint[], corrected: Choice["corrected"]): Promise<Choice> {
  const found = await sink.records.rejects({ ids, limit: ids.length });
  for (const id of ids) {
    const reject = found.find((one) => one.id === id);
    if (reject === undefined) throw unknownReject(id, sink);
    if (reject.state === "open") continue;
    throw new MillraceError("REJECT_UNKNOWN", `Reject ${id} was replayed already`, {
      remedy: "A record is replayed once. millrace rejects list shows those that are open.",
    });
  }
  return { filter: { ids }, corrected, pipelines: [...new Set(found.map(({ pipeline }) => pipeline))] };
}

/** The project's pipeline or stage of that name as it is today, else what the sink remembers of it. */
async function pipelineOf(sink: Sink, name: string, session: Session, flags: ReplayFlags): Promise<KnownPipeline> {
  const { stateSchema } = flags;
  const to = needed(flags.to);
  const contract = flags.contract === undefined ? undefined : withKey(await namedContract(flags.contract), flags.key);
  const project = await pipelinesOf(await loadConfig(process.cwd(), flags.config));
  const whole = project.find((one) => stageNames(one).includes(name));
  const [own] = whole === undefined ? [] : chosenStages(await stagesOf(whole, session.engine), name);
  if (own?.contract !== undefined) return { ...own, ...stateFrom(own, to), contract: contract ?? own.contract };
  const options: KeptPipelineOptions = given({ contract, mode: replayMode(flags.mode), stateSchema });
  return keptPipeline(sink, name, to, options);
}

/** Rows of a stage go into its log, the state of which is what was looked into. */
function stateFrom({ to: own, sink }: Pipeline, to: string): Pick<Pipeline, "to" | "sink"> {
  const goesOn = holdsRecords(parsePlace(own)) && !holdsRecords(parsePlace(to));
  return goesOn ? { to: own, sink: { ...sink, state: to } } : { to, sink };
}

function replayMode(text: string | undefined): Mode | undefined {
  const mode = modes.find((one) => one === text);
  if (text === undefined || (mode !== undefined && mode !== "replace")) return mode;
  throw new MillraceError("USAGE", `Rejects cannot be replayed with --mode ${text}`, {
    remedy: "Modes are append and merge.",
  });
}

async function replayOf(
  session: Session,
  pipeline: KnownPipeline,
  choice: Choice,
  flags: ReplayFlags,
): Promise<Counts> {
  const sink = await session.sink(pipeline.to, replaySinkOptions(pipeline));
  const open = { pipeline, sink, engine: session.engine, context: session.context };
  const { filter, corrected } = choice;
  const counts = await replayRejects(open, {
    filter,
    corrected,
    avro: avroOf(session, pipeline, flags),
    onEvent: (event) => {
      if (flags.json === true) stdout.line(eventJson(event, { pipeline: pipeline.name }));
    },
  });
  await sink.close();
  return counts;
}

/** Opens a registry once for all rejects that were read with it. */
function avroOf(
  session: Session,
  { source, contract }: KnownPipeline,
  { registry }: ReplayFlags,
): ReplayRequest["avro"] {
  const opened = new Map<string, Promise<MessageFormat>>();
  return (kept) => {
    const options = keptAvro(kept, { ...source, ...given({ registry }) });
    const key = JSON.stringify(options);
    const format = opened.get(key) ?? session.messageFormat(options, contract);
    opened.set(key, format);
    return format;
  };
}

/** A replay adds rows to those that are there, also where the pipeline itself replaces them. */
function replaySinkOptions(pipeline: Pipeline): Pipeline["sink"] {
  const { mode, ...others } = pipeline.sink;
  return mode === undefined || mode === "replace" ? others : { ...others, mode };
}

function tell(counts: Counts, to: string, flags: ReplayFlags): void {
  const { read, loaded, merged, filtered, rejected } = counts;
  if (flags.json === true)
    return stdout.line(JSON.stringify({ event: "done", read, loaded, merged, filtered, rejected, balanced: true }));
  const sum = Object.entries({ loaded, merged, filtered, rejected }).map(
    ([name, count]) => `${name} ${countText(count)}`,
  );
  stdout.line(`replayed ${countText(read)} = ${sum.join(" + ")}`);
  if (rejected > 0) stdout.line(`  those rejected again stay open: ${commandLine("rejects", "list", "--to", to)}`);
  if (read === 0) stdout.line("  no open reject matches");
}
