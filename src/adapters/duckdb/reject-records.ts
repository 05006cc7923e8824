import { MillraceError } from "../../core/error.ts";
import type { Reason, StoredReject } from "../../core/reject.ts";
import { reasonCodes } from "../../core/reject.ts";
import { isJsonObject } from "../../core/json.ts";
import type { EngineConnection, EngineRow } from "../../ports/engine.ts";
import type { RejectChoice, RejectFilter } from "../../ports/sink.ts";
import { bigintCell, booleanCell, bytesCell, jsonCell, numberCell, optionalNumber, textCell } from "./cells.ts";
import { Conditions, isoTime } from "./conditions.ts";
import type { Names } from "./location.ts";

export async function readRejects(
  connection: EngineConnection,
  names: Names,
  filter: RejectFilter,
): Promise<StoredReject[]> {
  const conditions = conditionsOf(filter);
  const order = filter.order === "newest" ? "desc" : "asc";
  const rows = await connection.all(
    `select id, pipeline, lane, batch, source, record, line, record_offset, bytes, truncated,
       cast(reasons as varchar) as reasons, cast(format as varchar) as format, state, attempts,
       ${isoTime("rejected_at")} as rejected_at
     from ${names.reject} ${conditions.where} order by id ${order} limit ${conditions.bind(filter.limit)}`,
    conditions.parameters,
  );
  return rows.map(rejectOf);
}

export async function countRejects(connection: EngineConnection, names: Names, choice: RejectChoice): Promise<number> {
  const { where, parameters } = conditionsOf(choice);
  const [row] = await connection.all(`select count(*) as n from ${names.reject} ${where}`, parameters);
  return numberCell(row ?? {}, "n");
}

function conditionsOf(choice: RejectChoice): Conditions {
  const conditions = new Conditions();
  const ids = choice.ids === undefined ? undefined : JSON.stringify(choice.ids.map(String));
  conditions.add("pipeline = ?", choice.pipeline);
  conditions.add("state = ?", choice.state);
  conditions.add("id > ?", choice.after);
  conditions.add(`id in (select cast(unnest(from_json(?::json, '["VARCHAR"]')) as bigint))`, ids);
  conditions.add("list_contains(json_extract_string(reasons, '$[*].code'), ?)", choice.code);
  return conditions;
}

function rejectOf(row: EngineRow): StoredReject {
  return {
    id: bigintCell(row, "id"),
    pipeline: textCell(row, "pipeline"),
    lane: textCell(row, "lane"),
    batch: bigintCell(row, "batch"),
    source: textCell(row, "source"),
    record: numberCell(row, "record"),
    line: optionalNumber(row, "line"),
    offset: bigintCell(row, "record_offset"),
    bytes: bytesCell(row, "bytes"),
    truncated: booleanCell(row, "truncated"),
    reasons: reasonsOf(textCell(row, "reasons")),
    format: jsonCell(row, "format"),
    state: textCell(row, "state") === "open" ? "open" : "replayed",
    attempts: numberCell(row, "attempts"),
    rejectedAt: textCell(row, "rejected_at"),
  };
}

function reasonsOf(text: string): Reason[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) throw broken();
  return list.map((item: unknown) => {
    if (!isJsonObject(item)) throw broken();
    const { code, column, value, message } = item as Partial<Record<keyof Reason, unknown>>;
    const known = reasonCodes.find((one) => one === code);
    if (known === undefined || typeof message !== "string") throw broken();
    return {
      code: known,
      ...(typeof column === "string" ? { column } : {}),
      ...(typeof value === "string" ? { value } : {}),
      message,
    };
  });
}

function broken(): MillraceError {
  return new MillraceError("INTERNAL", "The reasons of a reject in millrace_reject cannot be read", {
    remedy: "Do not alter the tables named millrace_; restore them from a backup.",
  });
}
