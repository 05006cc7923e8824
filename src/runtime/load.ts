import type { Contract } from "../core/contract.ts";
import { validateContract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { tableNameFrom } from "../core/identifier.ts";
import { limit } from "../core/limit.ts";
import type { Mode, Pipeline, SinkOptions, SourceOptions } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import { ContractInference } from "../engine/infer.ts";
import { connectFirst, type Waiting } from "./first-connection.ts";
import { nothingKnown } from "./lane-services.ts";
import { holdsRecords } from "./schemes.ts";
import type { Session } from "./session.ts";

/** What `millrace load` is told. */
export interface LoadRequest {
  readonly from: string;
  readonly to: string;
  readonly table?: string;
  /** Inferred when absent. */
  readonly contract?: Contract;
  /** Key columns, over those of the contract. */
  readonly key?: readonly string[];
  readonly mode?: Mode;
  readonly source: SourceOptions;
  readonly lineage?: boolean;
  readonly stateSchema?: string;
  /** Of a log: see `SinkOptions.state`. */
  readonly state?: string;
}

/**
 * A pipeline without a file of its own: its positions are kept under `load:<table>`. A sink's URL that cannot be used is
 * told before any file is read; so is one that does not answer, where `waiting` asks for a connection.
 */
export async function loadPipeline(
  request: LoadRequest,
  session: Session,
  waiting?: Waiting,
): Promise<Pipeline & { contract: Contract }> {
  const table = request.table ?? request.contract?.table ?? tableNameFrom(parsePlace(request.from).path);
  const so = pipelineOf(request, table, request.contract);
  const contract = request.contract ?? (await inferFor(so, request.key ?? [], session, waiting));
  return { ...so, contract: withKey({ ...contract, table }, request.key) };
}

async function inferFor(
  pipeline: Pipeline,
  key: readonly string[],
  session: Session,
  waiting: Waiting | undefined,
): Promise<Contract> {
  await session.sink(pipeline.to, pipeline.sink);
  if (waiting !== undefined) await connectFirst(session, pipeline, waiting);
  return inferContract(pipeline, key, session);
}

function pipelineOf(request: LoadRequest, table: string, contract: Contract | undefined): Pipeline {
  const sink: SinkOptions = {
    table,
    ...(request.mode === undefined ? {} : { mode: request.mode }),
    ...(request.lineage === undefined ? {} : { lineage: request.lineage }),
    ...(request.stateSchema === undefined ? {} : { stateSchema: request.stateSchema }),
    ...(request.state === undefined ? {} : { state: request.state }),
  };
  const place = parsePlace(request.to);
  return {
    kind: "pipeline",
    // The state of several logs may lie in one place.
    name: `load:${holdsRecords(place) ? place.shown : table}`,
    from: request.from,
    source: request.source,
    contract,
    steps: [],
    to: request.to,
    sink,
  };
}

/** The contract with these columns as its key, over its own. Throws CONTRACT_INVALID for a column that it lacks. */
export function withKey(contract: Contract, key: readonly string[] | undefined): Contract {
  if (key === undefined) return contract;
  const unknown = key.find((name) => contract.columns[name] === undefined);
  if (unknown !== undefined) {
    throw new MillraceError("CONTRACT_INVALID", `The key column "${unknown}" is not in the contract`, {
      remedy: `Its columns are ${Object.keys(contract.columns).join(", ")}.`,
      at: { table: contract.table },
    });
  }
  const columns = Object.entries(contract.columns).map(([name, { key: _, nullable, ...column }]) => {
    if (key.includes(name)) return [name, { ...column, key: true }] as const;
    return [name, nullable === undefined ? column : { ...column, nullable }] as const;
  });
  return validateContract({ ...contract, columns: Object.fromEntries(columns) });
}

/**
 * The contract of a pipeline's source, from every record up to `limit.inferBytes`. Columns are nullable, the key
 * apart: a guess must not refuse a record for a value that it has not seen yet.
 */
export async function inferContract(pipeline: Pipeline, key: readonly string[], session: Session): Promise<Contract> {
  const connection = await session.engine.connect();
  const source = await session.source(pipeline, undefined, false);
  const inference = new ContractInference(connection);
  const signal = new AbortController().signal;
  let bytes = 0;
  try {
    for await (const lane of source.lanes(nothingKnown, { follow: false, signal })) {
      const reader = await source.open(lane, lane.initial, signal);
      try {
        for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) {
          await inference.look(batch.records, batch.count);
          bytes += batch.sizeBytes;
          if (bytes > limit.inferBytes) break;
        }
      } finally {
        await reader.close();
      }
      if (bytes > limit.inferBytes) break;
    }
    if (inference.records === 0) throw nothingToInfer(pipeline);
    return inference.contract(pipeline.sink.table ?? "data", key);
  } finally {
    connection.close();
    await source.close();
  }
}

function nothingToInfer(pipeline: Pipeline): MillraceError {
  const { shown } = parsePlace(pipeline.from);
  return new MillraceError("FILE_EMPTY", `${shown} holds no record to infer a contract from`, {
    remedy: "Give the contract with --contract FILE, or check the file.",
    at: { source: shown },
  });
}
