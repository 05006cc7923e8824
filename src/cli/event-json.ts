import type { Contract } from "../core/contract.ts";
import { contractToJson } from "../core/contract-json.ts";
import type { Counts } from "../core/ledger.ts";
import type { RunEvent, RunSummary } from "../runtime/events.ts";
import { rejectJson } from "../runtime/reject-json.ts";

/** One event as the line of JSON that `--json` prints. */
export function eventJson(event: RunEvent, more: Readonly<Record<string, unknown>> = {}): string {
  switch (event.event) {
    case "batch": {
      const { source, counts, sizeBytes } = event;
      return JSON.stringify({ event: "batch", ...more, source, ...counts, sizeBytes });
    }
    case "rejects": {
      const { source, rejects } = event;
      return JSON.stringify({ event: "rejects", ...more, source, rejects: rejects.map(rejectJson) });
    }
    case "prepared":
    case "lane":
    case "laneDone":
    case "waiting":
    case "changes":
    case "measured":
    case "backlog":
    case "notice":
      return JSON.stringify({ ...event, ...more });
  }
}

export function contractJson(contract: Contract, inferred: boolean): string {
  return JSON.stringify({ event: "contract", inferred, contract: contractToJson(contract) });
}

/** The last line of a load. The first ten fields and their order are a promise to scripts. */
export function doneJson(summary: RunSummary, more: Readonly<Record<string, unknown>> = {}): string {
  const { table, read, loaded, merged, filtered, rejected, alreadyLoaded, balanced, ms, interrupted, changes } =
    summary;
  const changed = changes.length === 0 ? {} : { changes };
  const counts: Counts = { read, loaded, merged, filtered, rejected };
  return JSON.stringify({
    event: "done",
    table,
    ...counts,
    alreadyLoaded,
    balanced,
    ms,
    interrupted,
    ...more,
    ...changed,
  });
}
