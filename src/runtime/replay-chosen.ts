import type { Counts } from "../core/ledger.ts";
import type { Pipeline } from "../core/pipeline.ts";
import type { MessageFormat } from "../ports/messages.ts";
import type { OnEvent } from "./events.ts";
import { keptAvro } from "./message-formats.ts";
import type { Choice } from "./reject-choice.ts";
import { type ReplayRequest, replayRejects } from "./replay.ts";
import type { Session } from "./session.ts";
import type { PipelineWithContract } from "./target.ts";

export interface ChosenOptions {
  readonly onEvent: OnEvent;
  /** Of records of Avro, where the pipeline does not name it. */
  readonly registry?: string;
}

/** Sends the chosen rejects of a pipeline through it. Resolves with what became of them, durable. */
export async function replayChosen(
  session: Session,
  pipeline: PipelineWithContract,
  choice: Choice,
  options: ChosenOptions,
): Promise<Counts> {
  const sink = await session.sink(pipeline.to, replaySinkOptions(pipeline));
  const open = { pipeline, sink, engine: session.engine, context: session.context };
  const { filter, corrected } = choice;
  const counts = await replayRejects(open, {
    filter,
    corrected,
    avro: avroOf(session, pipeline, options),
    onEvent: options.onEvent,
  });
  await sink.close();
  return counts;
}

/** Opens a registry once for all rejects that were read with it. */
function avroOf(
  session: Session,
  { source, contract }: PipelineWithContract,
  { registry }: ChosenOptions,
): ReplayRequest["avro"] {
  const opened = new Map<string, Promise<MessageFormat>>();
  return (kept) => {
    const options = keptAvro(kept, { ...source, ...(registry === undefined ? {} : { registry }) });
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
