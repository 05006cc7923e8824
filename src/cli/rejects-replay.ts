import { MillraceError } from "../core/error.ts";
import { addCounts, type Counts, noCounts } from "../core/ledger.ts";
import { type Mode, modes, type Pipeline } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import { stageNames } from "../core/stage.ts";
import type { Sink } from "../ports/sink.ts";
import { loadConfig, pipelinesOf } from "../runtime/config.ts";
import { keptPipeline, type KeptPipelineOptions } from "../runtime/kept-pipeline.ts";
import { withKey } from "../runtime/load.ts";
import type { OnEvent } from "../runtime/events.ts";
import { openToRead } from "../runtime/reading.ts";
import { chooseRejects, type Wanted } from "../runtime/reject-choice.ts";
import { replayChosen } from "../runtime/replay-chosen.ts";
import { holdsRecords } from "../runtime/schemes.ts";
import { Session } from "../runtime/session.ts";
import { chosenStages, stagesOf } from "../runtime/stages.ts";
import { readCorrections } from "./corrections.ts";
import { eventJson } from "./event-json.ts";
import { countText } from "./figures.ts";
import { given, needed } from "./flags.ts";
import { commandLine } from "./invocation.ts";
import { parseId, type RejectsFlags } from "./kept-rejects.ts";
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

export async function replay(texts: readonly string[], flags: ReplayFlags): Promise<void> {
  const to = needed(flags.to);
  const session = await Session.open({ notice: (text) => stderr.line(text), ...given({ memoryBytes: flags.memory }) });
  try {
    const reader = await openToRead(session, to, flags.stateSchema);
    const ids = texts.map(parseId);
    const corrected = flags.with === undefined ? new Map<bigint, Uint8Array>() : await readCorrections(flags.with, ids);
    const choice = await chooseRejects(reader, { ids, corrected, ...chosenBy(flags) });
    const pipelines: KnownPipeline[] = [];
    for (const name of choice.pipelines) pipelines.push(await pipelineOf(reader, name, session, flags));
    await reader.close();
    let counts: Counts = noCounts;
    for (const pipeline of pipelines) {
      const onEvent: OnEvent = (event) => {
        if (flags.json === true) stdout.line(eventJson(event, { pipeline: pipeline.name }));
      };
      const options = { onEvent, ...given({ registry: flags.registry }) };
      counts = addCounts(counts, await replayChosen(session, pipeline, choice, options));
    }
    tell(counts, to, flags);
  } finally {
    await session.close();
  }
}

/** What says which, where they are not named by number. */
function chosenBy({ code, pipeline, all }: ReplayFlags): Pick<Wanted, "code" | "pipeline" | "all"> {
  return given({ code, pipeline, all });
}

type KnownPipeline = Awaited<ReturnType<typeof keptPipeline>>;

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
