import type { Claim, Position } from "../core/checkpoint.ts";
import type { Json } from "../core/json.ts";
import { jsonValue } from "../core/json-value.ts";
import type { RowKey } from "../core/row-selection.ts";
import type { Rows } from "../ports/rows.ts";
import type { SinkBatch } from "../ports/sink.ts";
import type { Lane } from "../ports/source.ts";
import { timeNow } from "./lane-run.ts";
import type { SinkServices } from "./lane-services.ts";
import { patiently } from "./patience.ts";

const noRows: Rows = {
  columns: [],
  count: 0,
  recordOf: () => 0,
  csv: async () => ({ bytes: new Uint8Array(), delimiter: ",", offsetOf: () => 0 }),
  select: async () => "select 0::bigint as _row where false",
  objects: async function* () {
    // None.
  },
  write: async () => Promise.reject(new TypeError("there are no rows to write")),
};

/** A batch that removes rows. Its position keeps their keys: nothing else is left to tell which they were. */
export async function removalBatch(
  services: SinkServices,
  lane: Lane,
  claim: Claim,
  keys: readonly RowKey[],
): Promise<SinkBatch> {
  const [batch] = await patiently(services.patience, () => services.sink.reserveBatches(1));
  if (batch === undefined) throw new TypeError("the sink reserved no batch");
  const removed = keys.map((key) =>
    Object.fromEntries(Object.entries(key).map(([name, value]) => [name, jsonValue(value) as Json])),
  );
  const end: Position = { row: claim.position.row + keys.length, removed };
  return {
    ...{ claim, batch, run: services.run, version: services.version, source: lane.source },
    ...{ start: { row: claim.position.row }, end, read: keys.length, filtered: 0, rejects: [], removes: keys },
    ...{ format: {}, rows: noRows, startedAt: timeNow(services) },
    refuse: () => {
      throw new TypeError("a batch without rows has none to refuse");
    },
  };
}
