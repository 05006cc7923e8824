import type { Contract } from "../core/contract.ts";
import { limit } from "../core/limit.ts";
import type { Pipeline, SourceOptions } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Drop } from "../ports/drop.ts";
import type { Log } from "../ports/log.ts";
import type { MessageFormat } from "../ports/messages.ts";
import type { Queue } from "../ports/queue.ts";
import type { Source } from "../ports/source.ts";
import { fileSource } from "./file-lanes.ts";
import { gateOf } from "./file-ready.ts";
import { logSource } from "./log-source.ts";
import { queueSource } from "./queue-source.ts";
import { urlOf } from "./remote-drop.ts";
import { isRemote, openDrop } from "./schemes.ts";

/** The source of a pipeline that reads files. */
export function sourceOfPipelineFiles(
  pipeline: Pipeline,
  contract: Contract | undefined,
  again: boolean,
  batchBytes: number,
  context: AdapterContext,
): Source {
  // One transaction for a whole file takes its lanes one after another.
  const whole = pipeline.source.atomic === true || pipeline.sink.mode === "replace";
  const { parallel: _, ...unsplit } = pipeline.source;
  const { ready } = pipeline.source;
  const drops = new Map<string, Promise<Drop>>();
  const place = parsePlace(pipeline.from);
  const drop = (folder: string): Promise<Drop> => {
    const url = isRemote(place) ? urlOf(place, folder) : `file:${folder}`;
    const known = drops.get(folder) ?? openDrop(url, context);
    drops.set(folder, known);
    return known;
  };
  const gate = gateOf(ready, { context, drop });
  return fileSource({
    ...(gate === undefined ? {} : { gate }),
    onClose: async () => {
      for (const opened of drops.values()) await (await opened.catch(() => undefined))?.close();
      drops.clear();
    },
    url: pipeline.from,
    options: whole ? unsplit : pipeline.source,
    contract,
    again,
    // Rows of what a grown file held before are removed too, so they are read once more.
    fromStart: pipeline.sink.mode === "replace",
    batchBytes,
    context,
  });
}

/** The source of a pipeline that reads a log: the processes that run the pipeline share its lanes. */
export function sourceOfLog(
  log: Log,
  format: MessageFormat,
  { name, source, sink }: Pipeline,
  batchBytes: number,
  context: AdapterContext,
): Source {
  const { whenGone = "fail" } = source;
  const lineage = sink.lineage === true;
  return logSource({ log, group: name, bounds: boundsOf(source, batchBytes), format, whenGone, lineage, context });
}

/** The source of a pipeline that consumes a queue: so do all processes that run the pipeline. */
export function sourceOfQueue(
  queue: Queue,
  format: MessageFormat,
  { source, sink }: Pipeline,
  batchBytes: number,
  context: AdapterContext,
): Source {
  const parallel = Math.min(source.parallel ?? 1, limit.parallel);
  const lineage = sink.lineage === true;
  return queueSource({ queue, bounds: boundsOf(source, batchBytes), format, parallel, lineage, context });
}

/** All lanes are read at the same time, each with a batch under way and one being prepared. */
function boundsOf(
  { batchRows: rows = limit.logBatchRows, lingerMs = limit.lingerMs }: SourceOptions,
  batchBytes: number,
) {
  return { rows, bytes: Math.min(batchBytes, limit.logBatchBytes), lingerMs };
}
