import type { FastifyReply, FastifyRequest } from "fastify";
import { operandOf, operandWords, type QueryPair } from "../../core/row-query.ts";
import type { RowKey, RowOperand } from "../../core/row-selection.ts";
import type { EngineRow } from "../../ports/engine.ts";
import type { GivenRow } from "../../runtime/row-text.ts";
import type { OpenTable } from "../../runtime/open-table.ts";
import { limit } from "../../core/limit.ts";
import { problem } from "../problem.ts";
import { bodyFault, pathFault } from "./errors.ts";
import type { RowJson } from "./text.ts";

/** A table as it is served. */
export interface ServedTable {
  readonly table: OpenTable;
  /** How a row is answered with. */
  readonly toJson: (columns: readonly string[]) => RowJson;
  /** A row as it is sent, made one of the contract's. */
  readonly given?: (row: GivenRow) => GivenRow;
  /** Told when rows were committed. */
  changed(): void;
}

/** The table that a request is about. Throws 404. */
export type TableOf = (request: FastifyRequest) => ServedTable | Promise<ServedTable>;

/** All pairs of the address, repeated names and empty values too. Throws 414 for what is too long. */
export function pairsOf({ url }: FastifyRequest): QueryPair[] {
  const at = url.indexOf("?");
  if (at < 0) return [];
  if (url.length - at > limit.rowsQueryChars) {
    throw problem(414, "REQUEST_TOO_LARGE", "The address is too long", "Ask for fewer values at once.");
  }
  return [...new URLSearchParams(url.slice(at + 1))];
}

/** The key in the path: a part for each column. Throws 422 where one can be no value of its column. */
export function keyIn(table: OpenTable, request: FastifyRequest): RowKey {
  const parts = Object.values(request.params as Readonly<Record<string, string>>).slice(-table.key.length);
  const values = table.key.map((name, index): readonly [string, RowOperand] => {
    const column = table.contract.columns[name];
    const value = column === undefined ? undefined : operandOf(column, parts[index] ?? "");
    if (value === undefined) throw pathFault(name, column === undefined ? "known" : operandWords(column));
    return [name, value];
  });
  return Object.fromEntries(values);
}

/** The object of a body, be it JSON or a form. Throws 422. */
export function objectIn({ given = same }: ServedTable, { body }: FastifyRequest): GivenRow {
  if (body instanceof Map) return given(Object.fromEntries(body as Map<string, string>));
  if (isObject(body)) return given(body);
  throw bodyFault("must be a JSON object, a row");
}

/** The rows of a body: an object, or a list of objects. Throws 422. */
export function rowsIn(served: ServedTable, request: FastifyRequest): readonly GivenRow[] {
  const { body } = request;
  if (!Array.isArray(body)) return [objectIn(served, request)];
  const rows = body as readonly unknown[];
  if (rows.length >= 1 && rows.length <= limit.rowsChanged && rows.every(isObject))
    return rows.map(served.given ?? same);
  throw bodyFault(`must be a JSON list of 1 to ${limit.rowsChanged} objects`);
}

const same = (row: GivenRow): GivenRow => row;

function isObject(value: unknown): value is GivenRow {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The tags of If-Match; undefined without it. Of `*` it is enough that the row is there, which a change asks for anyway. */
export function expectedIn({ headers }: FastifyRequest): readonly string[] | undefined {
  const given = headers["if-match"];
  if (given === undefined || given.trim() === "*") return undefined;
  return given.split(",").map((tag) => tag.trim());
}

/** Answers with a row and its tag. */
export function sendRow({ table, toJson }: ServedTable, row: EngineRow, reply: FastifyReply): FastifyReply {
  const text = toJson(Object.keys(table.contract.columns))(row);
  return reply
    .headers({ etag: table.tagOf(row), "cache-control": "no-cache", "content-type": "application/json; charset=utf-8" })
    .send(text);
}
