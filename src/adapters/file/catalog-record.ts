import type { LedgerEntry } from "../../core/ledger.ts";
import type { Reason, StoredReject } from "../../core/reject.ts";
import type { LedgerFilter, RejectChoice, RejectFilter } from "../../ports/sink.ts";
import type { Catalog, CatalogRow } from "./catalog.ts";
import { bigintOf, bytesOf, jsonOf, numberOf, textOf } from "./catalog-value.ts";

const chosen = `from millrace_reject r
  where (?1 is null or pipeline = ?1) and (?2 is null or state = ?2) and (?3 is null or id > ?3)
    and (?4 is null or id in (select value from json_each(?4)))
    and (?5 is null or exists (select 1 from json_each(r.reasons) where value ->> 'code' = ?5))`;

function choiceValues({ pipeline, state, after, ids, code }: RejectChoice) {
  return [
    pipeline ?? null,
    state ?? null,
    after ?? null,
    ids === undefined ? null : `[${ids.join(",")}]`,
    code ?? null,
  ];
}

export function listRejects(catalog: Catalog, filter: RejectFilter): StoredReject[] {
  const order = filter.order === "newest" ? "desc" : "asc";
  const sql = `select * ${chosen} order by id ${order} limit ?6`;
  return catalog.all(sql, ...choiceValues(filter), filter.limit).map(rejectOf);
}

export function countRejects(catalog: Catalog, choice: RejectChoice): number {
  const row = catalog.get(`select count(*) as count ${chosen}`, ...choiceValues(choice));
  return row === undefined ? 0 : numberOf(row, "count");
}

function rejectOf(row: CatalogRow): StoredReject {
  return {
    id: bigintOf(row, "id"),
    pipeline: textOf(row, "pipeline"),
    lane: textOf(row, "lane"),
    batch: bigintOf(row, "batch"),
    source: textOf(row, "source"),
    record: numberOf(row, "record"),
    line: row["line"] === null ? undefined : numberOf(row, "line"),
    offset: bigintOf(row, "record_offset"),
    bytes: bytesOf(row, "bytes"),
    truncated: numberOf(row, "truncated") === 1,
    reasons: jsonOf<Reason[]>(row, "reasons"),
    format: jsonOf(row, "format"),
    state: textOf(row, "state") === "open" ? "open" : "replayed",
    attempts: numberOf(row, "attempts"),
    rejectedAt: textOf(row, "rejected_at"),
  };
}

export interface RejectGroup {
  readonly pipeline: string;
  readonly code: string;
  readonly column: string | undefined;
  readonly count: number;
}

/** Open rejects by pipeline, code and column, most first. */
export function sumUpRejects(catalog: Catalog, pipeline: string | undefined): RejectGroup[] {
  const rows = catalog.all(
    `select r.pipeline, reason.value ->> 'code' as code, reason.value ->> 'column' as "column", count(distinct r.id) as count
     from millrace_reject r, json_each(r.reasons) reason
     where r.state = 'open' and (?1 is null or r.pipeline = ?1)
     group by 1, 2, 3 order by 4 desc, 1, 2, 3`,
    pipeline ?? null,
  );
  return rows.map((row) => ({
    pipeline: textOf(row, "pipeline"),
    code: textOf(row, "code"),
    column: row["column"] === null ? undefined : textOf(row, "column"),
    count: numberOf(row, "count"),
  }));
}

export function listLedger(catalog: Catalog, filter: LedgerFilter): LedgerEntry[] {
  const rows = catalog.all(
    `select * from millrace_ledger
     where (?1 is null or pipeline = ?1) and (?2 is null or batch = ?2) and (?3 is null or source = ?3)
       and (?4 is null or run = ?4) and (?5 is null or table_name = ?5)
     order by batch desc limit ?6`,
    filter.pipeline ?? null,
    filter.batch ?? null,
    filter.source ?? null,
    filter.run ?? null,
    filter.table ?? null,
    filter.limit,
  );
  return rows.map(ledgerEntryOf);
}

function ledgerEntryOf(row: CatalogRow): LedgerEntry {
  return {
    batch: bigintOf(row, "batch"),
    pipeline: textOf(row, "pipeline"),
    lane: textOf(row, "lane"),
    epoch: numberOf(row, "epoch"),
    run: textOf(row, "run"),
    version: textOf(row, "version"),
    source: textOf(row, "source"),
    table: textOf(row, "table_name"),
    start: jsonOf(row, "start_position"),
    end: jsonOf(row, "end_position"),
    read: numberOf(row, "read"),
    loaded: numberOf(row, "loaded"),
    merged: numberOf(row, "merged"),
    filtered: numberOf(row, "filtered"),
    rejected: numberOf(row, "rejected"),
    startedAt: textOf(row, "started_at"),
    committedAt: textOf(row, "committed_at"),
  };
}
