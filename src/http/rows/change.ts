import type { FastifyReply, FastifyRequest } from "fastify";
import { limit } from "../../core/limit.ts";
import { readRowQuestion } from "../../core/row-query.ts";
import type { RowKey } from "../../core/row-selection.ts";
import { keyOfRow } from "../../runtime/row-text.ts";
import { login } from "../login.ts";
import { problem } from "../problem.ts";
import { bodyFault, rowProblem } from "./errors.ts";
import { expectedIn, keyIn, objectIn, pairsOf, rowsIn, sendRow, type ServedTable, type TableOf } from "./table.ts";

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** A change by somebody who may make it: the ledger keeps who it was. */
function changing(
  tableOf: TableOf,
  work: (served: ServedTable, source: string, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>,
): Handler {
  return async (request, reply) => {
    const user = await login(request.server.millrace.users, request, "writer", undefined);
    try {
      return await work(await tableOf(request), `${request.method} by ${user.name}`, request, reply);
    } catch (error) {
      throw rowProblem(error);
    }
  };
}

/** Adds one row, or all of a list. */
export function addRows(tableOf: TableOf): Handler {
  return changing(tableOf, async (served, source, request, reply) => {
    const { table } = served;
    const rows = rowsIn(served, request);
    const counts = await table.insert(rows, source);
    served.changed();
    const [row] = rows;
    const key = Array.isArray(request.body) || row === undefined ? undefined : keyOfRow(table.contract, table.key, row);
    reply.code(201);
    if (key === undefined || table.key.length === 0) return reply.send({ inserted: counts.loaded });
    const path = table.key.map((name) => encodeURIComponent(String(key[name]))).join("/");
    reply.header("location", `${(request.url.split("?")[0] ?? "").replace(/\/$/, "")}/${path}`);
    return sendRow(served, await table.one(key), reply);
  });
}

/** Adds the rows of a list, and changes those that are there. */
export function mergeRows(tableOf: TableOf): Handler {
  return changing(tableOf, async (served, source, request, reply) => {
    requireKey(served);
    const { loaded, merged } = await served.table.merge(rowsIn(served, request), source);
    served.changed();
    return reply.send({ inserted: loaded, changed: merged });
  });
}

export function replaceRow(tableOf: TableOf): Handler {
  return changing(tableOf, async (served, source, request, reply) => {
    const key = keyIn(served.table, request);
    const row = rowOf(served, key, request);
    await served.table.replace(key, row, expectedIn(request), source);
    return answerWith(served, key, reply);
  });
}

export function changeRow(tableOf: TableOf): Handler {
  return changing(tableOf, async (served, source, request, reply) => {
    const key = keyIn(served.table, request);
    const row = rowOf(served, key, request);
    await served.table.change(key, row, expectedIn(request), source);
    return answerWith(served, key, reply);
  });
}

/** `answer` is what callers are told, made of the key as it stands in the address. */
export function removeRow(tableOf: TableOf, answer: (key: string) => object | undefined): Handler {
  return changing(tableOf, async (served, source, request, reply) => {
    const key = keyIn(served.table, request);
    await served.table.remove([key], expectedIn(request), source);
    served.changed();
    const told = answer(Object.values(key).join(", "));
    return told === undefined ? reply.code(204).send() : reply.send(told);
  });
}

/** Removes the rows that meet the conditions, of which there has to be one. */
export function removeRows(tableOf: TableOf): Handler {
  return changing(tableOf, async (served, source, request, reply) => {
    requireKey(served);
    const { selection } = readRowQuestion(served.table.contract, pairsOf(request));
    if (selection.conditions.length === 0) throw bodyFault("needs a condition: all rows are never removed at once");
    const removed = await served.table.removeWhere(selection, source);
    if (removed === "too many") throw bodyFault(`more than ${limit.rowsChanged} rows meet the conditions`);
    if (removed > 0) served.changed();
    return reply.send({ removed });
  });
}

async function answerWith(served: ServedTable, key: RowKey, reply: FastifyReply): Promise<FastifyReply> {
  served.changed();
  return sendRow(served, await served.table.one(key), reply);
}

/** The row that was sent, which says the same key as the address or none. */
function rowOf(served: ServedTable, key: RowKey, request: FastifyRequest): Readonly<Record<string, unknown>> {
  const { table } = served;
  const row = objectIn(served, request);
  const given = keyOfRow(table.contract, table.key, { ...key, ...row });
  const isSame = given !== undefined && table.key.every((name) => given[name] === key[name]);
  if (isSame) return row;
  throw bodyFault("has another key than the address: add a row and remove this one instead");
}

function requireKey({ table }: ServedTable): void {
  if (table.key.length > 0) return;
  throw problem(405, "REQUEST_INVALID", "The table has no key", "Its rows can be read and added.");
}
