import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import type { Checkpoint } from "../../src/core/checkpoint.ts";
import type { Contract } from "../../src/core/contract.ts";
import type { SourceOptions } from "../../src/core/pipeline.ts";
import { integer, table, text } from "../../src/core/table.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { KnownLanes, Lane, RawBatch, Source } from "../../src/ports/source.ts";
import { fileSource } from "../../src/runtime/file-lanes.ts";

const contract: Contract = table("t", { id: integer(), name: text().nullable() });
export const never = new AbortController().signal;

/** The folder, engine and notices of the test at hand. */
export const scene: { folder: string; engine: Engine; notices: string[] } = {
  folder: "",
  engine: undefined as unknown as Engine,
  notices: [],
};

/** Called once by each test file. */
export function withFolder(): void {
  beforeAll(async () => {
    scene.engine = await Engine.open({ memoryBytes: 256 * 1024 * 1024, threads: 2 });
  });
  afterAll(() => scene.engine.close());
  beforeEach(async () => {
    scene.folder = await mkdtemp(join(tmpdir(), "millrace-files-"));
    scene.notices = [];
  });
  afterEach(() => rm(scene.folder, { recursive: true, force: true }));
}

export const at = (name: string): string => join(scene.folder, name);
export const rows = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, index) => `${from + index},name ${from + index}\n`).join("");

export interface Given {
  readonly options?: SourceOptions;
  readonly again?: boolean;
  readonly fromStart?: boolean;
  readonly batchBytes?: number;
  readonly contract?: Contract | undefined;
  readonly pause?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

export function sourceAt(path: string, given: Given = {}): Source {
  const { options = {}, again = false, pause = async () => {}, ...rest } = given;
  const context = { engine: scene.engine, pause, notice: (said: string) => void scene.notices.push(said) };
  return fileSource({ url: path, options, again, context, contract, ...rest });
}

/** Keeps checkpoints as a sink would. */
export class Checkpoints implements KnownLanes {
  readonly kept = new Map<string, Checkpoint>();
  get = async (lane: string): Promise<Checkpoint | undefined> => this.kept.get(lane);
  of = async (source: string): Promise<Checkpoint[]> =>
    [...this.kept.values()].filter((found) => found.source === source);

  keep(lane: Lane, position: Checkpoint["position"]): void {
    // As a sink does: positions are kept as JSON text.
    const text = JSON.stringify(position);
    this.kept.set(lane.id, {
      pipeline: "p",
      lane: lane.id,
      epoch: 1,
      source: lane.source,
      position: JSON.parse(text) as Checkpoint["position"],
    });
  }
}

export async function lanesOf(source: Source, known: KnownLanes = new Checkpoints()): Promise<Lane[]> {
  const lanes: Lane[] = [];
  for await (const lane of source.lanes(known, { follow: false, signal: never })) lanes.push(lane);
  return lanes;
}

export interface Loaded {
  readonly ids: string[];
  readonly lines: (number | undefined)[];
  readonly rejects: number;
  readonly batches: RawBatch[];
}

/** Reads one lane from its checkpoint on, at most `batchesMax` batches, each kept as committed. */
export async function loadLane(
  source: Source,
  lane: Lane,
  known: Checkpoints,
  batchesMax = Number.POSITIVE_INFINITY,
): Promise<Loaded> {
  if (!known.kept.has(lane.id)) known.keep(lane, lane.initial);
  const position = known.kept.get(lane.id)?.position ?? lane.initial;
  const loaded: Loaded & { rejects: number } = { ids: [], lines: [], rejects: 0, batches: [] };
  if (source.isDone(lane, position)) return loaded;
  const parts = source.divide(lane, position);
  if (parts !== undefined) {
    for (const part of parts) {
      const of = await loadLane(source, part, known, batchesMax);
      loaded.ids.push(...of.ids);
      loaded.lines.push(...of.lines);
      loaded.batches.push(...of.batches);
    }
    return loaded;
  }
  const reader = await source.open(lane, position, never);
  try {
    for (let count = 0; count < batchesMax; count += 1) {
      const batch = await reader.next();
      if (batch === undefined) break;
      collect(batch, loaded);
      known.keep(lane, batch.end);
    }
  } finally {
    await reader.close();
  }
  return loaded;
}

export function collect(batch: RawBatch, loaded: Loaded & { rejects: number }): void {
  loaded.batches.push(batch);
  loaded.rejects += batch.malformed.length;
  for (let index = 0; index < batch.count; index += 1) {
    const { bytes, line } = batch.at(index);
    const record = Buffer.from(bytes).toString("utf8");
    loaded.ids.push(
      record.startsWith("{") ? String((JSON.parse(record) as { id: unknown }).id) : (record.split(/[,;]/)[0] ?? ""),
    );
    loaded.lines.push(line);
  }
}

export async function load(path: string, known: Checkpoints, given: Given = {}, batchesMax?: number): Promise<Loaded> {
  const source = sourceAt(path, given);
  const all: Loaded & { rejects: number } = { ids: [], lines: [], rejects: 0, batches: [] };
  for await (const lane of source.lanes(known, { follow: false, signal: never })) {
    const loaded = await loadLane(source, lane, known, batchesMax);
    all.ids.push(...loaded.ids);
    all.lines.push(...loaded.lines);
    all.batches.push(...loaded.batches);
    all.rejects += loaded.rejects;
  }
  await source.close();
  return all;
}

export const numbers = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => String(from + index));
