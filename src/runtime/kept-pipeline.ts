import { type Contract, keyColumns } from "../core/contract.ts";
import { contractFromJson } from "../core/contract-json.ts";
import { MillraceError } from "../core/error.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { Mode, Pipeline, SinkOptions, SqlStep, TransformStep } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import type { Sink } from "../ports/sink.ts";
import { holdsRecords } from "./schemes.ts";

export interface KeptPipelineOptions {
  /** Instead of the kept contract. */
  readonly contract?: Contract;
  readonly mode?: Mode;
  readonly stateSchema?: string;
}

/**
 * A pipeline as its sink remembers it, from the definition of its newest batch: for replays of loads, which have no
 * file of their own. Throws PIPELINE_UNKNOWN when the sink knows none, or when it has functions as steps, which only
 * their module holds.
 */
export async function keptPipeline(
  sink: Sink,
  name: string,
  to: string,
  options: KeptPipelineOptions = {},
): Promise<Pipeline & { readonly contract: Contract }> {
  const [entry] = await sink.records.ledger({ pipeline: name, limit: 1 });
  const definition = entry === undefined ? undefined : await sink.records.definition(name, entry.version);
  if (entry === undefined || definition === undefined) throw unknown(name, sink, "has written nothing there");
  const contract = options.contract ?? contractFromJson(definition["contract"], `the definition of ${name}`);
  const { stateSchema } = options;
  const kept = stateSchema === undefined ? {} : { stateSchema };
  const so = {
    kind: "pipeline",
    name,
    from: entry.source,
    source: {},
    steps: stepsOf(definition, name, sink),
  } as const;
  // The rows lie in a log, of which this place keeps the state.
  if (holdsRecords(parsePlace(entry.table))) return { ...so, contract, ...stateFrom(to, entry.table, kept) };
  const mode = options.mode ?? (keyColumns(contract).length > 0 ? "merge" : "append");
  // Rows carry their lineage where the table has the column.
  const target = { table: entry.table, mode, lineage: true, ...kept };
  return { ...so, to, contract: { ...contract, table: entry.table }, sink: target };
}

/** Where rows go whose state lies at `to`, which may be the log itself. */
function stateFrom(to: string, log: string, kept: SinkOptions): Pick<Pipeline, "to" | "sink"> {
  return holdsRecords(parsePlace(to)) ? { to, sink: kept } : { to: log, sink: { ...kept, state: to } };
}

function stepsOf(definition: JsonObject, name: string, sink: Sink): (SqlStep | TransformStep)[] {
  const steps: Json = definition["steps"] ?? [];
  if (!Array.isArray(steps)) throw unknown(name, sink, "has a definition that cannot be read");
  return (steps as readonly Json[]).map((step) => {
    const transform = isJsonObject(step) ? transformOf(step) : undefined;
    if (transform !== undefined) return transform;
    const sql = isJsonObject(step) && step["kind"] === "sql" ? step["sql"] : undefined;
    if (typeof sql !== "string") throw unknown(name, sink, "has functions as steps, which only its module holds");
    return { kind: "sql", sql, columns: {} };
  });
}

function transformOf({ kind, name, options, parameters }: JsonObject): TransformStep | undefined {
  if (kind !== "transform" || typeof name !== "string" || !isJsonObject(options)) return undefined;
  return { kind, name, options, ...(parameters === undefined ? {} : { parameters }) };
}

function unknown(name: string, sink: Sink, why: string): MillraceError {
  return new MillraceError("PIPELINE_UNKNOWN", `The pipeline "${name}" cannot be taken from ${sink.shown}: it ${why}`, {
    remedy: "Run this in the project's folder, where millrace.config.ts or pipelines/ is, or check the name.",
  });
}

/** The contract that the newest batch of a table was made by; undefined when none is known. */
export async function keptContract(sink: Sink, table: string): Promise<Contract | undefined> {
  const [entry] = await sink.records.ledger({ table, limit: 1 });
  const definition = entry === undefined ? undefined : await sink.records.definition(entry.pipeline, entry.version);
  return definition === undefined ? undefined : contractFromJson(definition["contract"], `the definition of ${table}`);
}
