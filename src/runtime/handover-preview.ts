import { limit } from "../core/limit.ts";
import type { Reject } from "../core/reject.ts";
import { BatchChecker } from "../engine/batch.ts";
import { receivedCsv } from "../formats/csv/received.ts";
import type { EngineRow } from "../ports/engine.ts";
import type { Handover } from "./intake.ts";
import type { Session } from "./session.ts";
import type { PipelineWithContract } from "./target.ts";

/** What a handover would become, as far as its records alone tell. */
export interface HandoverPreview {
  readonly read: number;
  readonly filtered: number;
  readonly rejected: number;
  readonly rows: readonly EngineRow[];
  /** The first, at most `limit.rejectsShown`. */
  readonly rejects: readonly Reject[];
  /** Of all rejects, most first. */
  readonly reasons: readonly { readonly code: string; readonly column: string | null; readonly count: number }[];
}

/** Sends a handover through the checks of its pipeline, batch by batch, and writes nothing. The sink is not asked. */
export async function previewHandover(
  session: Session,
  { contract, steps }: PipelineWithContract,
  handover: Handover,
  rowsMax: number,
): Promise<HandoverPreview> {
  const { engine, budget } = session;
  const { recordBytes, rejectBytes, batchRecords } = limit;
  const bounds = { batchBytes: budget.batchBytes, batchRecords, recordBytes, rejectBytes };
  const columns = Object.keys(contract.columns);
  const checker = await BatchChecker.open(engine, { contract, steps, lineage: false, takes: "relation" });
  const reader = receivedCsv({ columns, bytes: handover.bytes(), sizeBytes: handover.sizeBytes, row: 0, bounds });
  const seen = { read: 0, filtered: 0, rejected: 0 };
  const rows: EngineRow[] = [];
  const rejects: Reject[] = [];
  const reasons = new Reasons();
  try {
    for (let raw = await reader.next(); raw !== undefined; raw = await reader.next()) {
      const checked = await checker.check(raw, 0n);
      try {
        seen.read += raw.read;
        seen.filtered += checked.filtered;
        seen.rejected += checked.rejects.length;
        reasons.add(checked.rejects);
        rejects.push(...checked.rejects.slice(0, limit.rejectsShown - rejects.length));
        if (rows.length >= rowsMax) continue;
        for await (const piece of checked.rows.objects()) {
          rows.push(...piece.slice(0, rowsMax - rows.length));
          if (rows.length >= rowsMax) break;
        }
      } finally {
        await checked.release();
      }
    }
    return { ...seen, rows, rejects, reasons: reasons.all };
  } finally {
    checker.close();
    await reader.close();
  }
}

/** Rejects counted by code and column: as many as a contract has columns and there are codes. */
class Reasons {
  readonly #counts = new Map<string, { readonly code: string; readonly column: string | null; count: number }>();

  get all(): HandoverPreview["reasons"] {
    return [...this.#counts.values()].sort((a, b) => b.count - a.count);
  }

  add(rejects: readonly Reject[]): void {
    for (const { code, column = null } of rejects.flatMap(({ reasons }) => reasons)) {
      const key = JSON.stringify([code, column]);
      const known = this.#counts.get(key);
      if (known === undefined) this.#counts.set(key, { code, column, count: 1 });
      else known.count += 1;
    }
  }
}
