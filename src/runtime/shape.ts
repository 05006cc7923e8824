import type { Contract } from "../core/contract.ts";
import type { Step } from "../core/pipeline.ts";
import { BatchChecker } from "../engine/batch.ts";
import type { Engine } from "../engine/engine.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { RawBatch } from "../ports/source.ts";

/** The columns that reach the sink, found by sending a batch without records through the steps. */
export async function sinkColumnsOf(
  contract: Contract,
  steps: readonly Step[],
  engine: Engine,
): Promise<readonly SinkColumn[]> {
  const columns = Object.entries(contract.columns).map(([name, { format: _, ...column }]) => ({ name, ...column }));
  if (steps.length === 0) return columns;
  const checker = await BatchChecker.open(engine, { contract, steps, lineage: false, takes: "relation" });
  try {
    const batch = await checker.check(emptyBatch(contract), 0n);
    await batch.release();
    return batch.rows.columns;
  } finally {
    checker.close();
  }
}

function emptyBatch(contract: Contract): RawBatch {
  const nothing = (): never => {
    throw new RangeError("an empty batch has no records");
  };
  return {
    start: { row: 0 },
    end: { row: 0 },
    read: 0,
    sizeBytes: 0,
    records: {
      kind: "delimited",
      text: new Uint8Array(),
      delimiter: ",",
      quote: '"',
      quoted: false,
      columns: Object.keys(contract.columns),
    },
    count: 0,
    malformed: [],
    recordOf: nothing,
    at: nothing,
    format: {},
  };
}
