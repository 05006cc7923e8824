import type { Contract } from "../core/contract.ts";
import type { Step } from "../core/pipeline.ts";
import { BatchChecker } from "../engine/batch.ts";
import type { Engine } from "../engine/engine.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { RawBatch } from "../ports/source.ts";

/**
 * The columns that reach the sink, found by sending a batch without records through contract and steps: what is wrong
 * with them is told before anything is asked of source and sink. Throws CONTRACT_INVALID, STEP_FAILED.
 */
export async function sinkColumnsOf(
  contract: Contract,
  steps: readonly Step[],
  engine: Engine,
): Promise<readonly SinkColumn[]> {
  const checker = await BatchChecker.open(engine, { contract, steps, lineage: false, takes: "relation" });
  try {
    const batch = await checker.check(emptyBatch(contract), 0n);
    await batch.release();
    return steps.length === 0 ? withoutFormats(contract) : batch.rows.columns;
  } finally {
    checker.close();
  }
}

/** Past the source, dates and timestamps are ISO 8601 whatever they looked like there. */
function withoutFormats(contract: Contract): SinkColumn[] {
  return Object.entries(contract.columns).map(([name, { format: _, ...column }]) => ({ name, ...column }));
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
