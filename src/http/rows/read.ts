import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { limit } from "../../core/limit.ts";
import { readRowQuestion, type RowQuestion } from "../../core/row-query.ts";
import { jsonValue } from "../../core/json-value.ts";
import type { EngineRow } from "../../ports/engine.ts";
import { rowProblem } from "./errors.ts";
import { type Media, mediaOf, mediaTypes } from "./media.ts";
import { keyIn, pairsOf, sendRow, type ServedTable, type TableOf } from "./table.ts";
import { csvPieces, jsonPieces, ndjsonPieces, type Pieces } from "./text.ts";

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** Answers with rows, or with how many there are. */
export function readRows(tableOf: TableOf): Handler {
  return async (request, reply) => {
    const served = await tableOf(request);
    const question = asked(served, request);
    const { table } = served;
    if (question.counts) return reply.send({ count: await table.count(question.selection) });
    const media = mediaOf(request.headers.accept);
    reply.header("vary", "accept");
    if (media === "parquet") return sendParquet(served, question, request, reply);
    return sendText(served, question, media, request, reply);
  };
}

/** Answers with one row. */
export function readRow(tableOf: TableOf): Handler {
  return async (request, reply) => {
    const served = await tableOf(request);
    const row = await served.table.one(keyIn(served.table, request));
    const tag = served.table.tagOf(row);
    if (request.headers["if-none-match"]?.split(",").some((one) => one.trim() === tag) === true) {
      return reply.header("etag", tag).code(304).send();
    }
    return sendRow(served, row, reply);
  };
}

function asked({ table }: ServedTable, request: FastifyRequest): RowQuestion {
  try {
    return readRowQuestion(table.contract, pairsOf(request));
  } catch (error) {
    throw rowProblem(error);
  }
}

/** What fails before the first rows is an answer of its own; few rows are sent at once, many as they come. */
async function sendText(
  served: ServedTable,
  question: RowQuestion,
  media: Exclude<Media, "parquet">,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const pieces = served.table.select(question.selection);
  reply.header("content-type", `${mediaTypes[media]}; charset=utf-8${media === "csv" ? "; header=present" : ""}`);
  if (question.take <= limit.rowsAtOnce) return sendAtOnce(served, question, pieces, media, request, reply);
  const first = await pieces.next();
  const text = textOf(served, question, behind(first.done === true ? [] : first.value, pieces), media);
  return reply.send(Readable.from(text, { objectMode: false, highWaterMark: 256 * 1024 }));
}

async function sendAtOnce(
  served: ServedTable,
  question: RowQuestion,
  pieces: AsyncIterable<readonly EngineRow[]>,
  media: Exclude<Media, "parquet">,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const rows: EngineRow[] = [];
  for await (const piece of pieces) rows.push(...piece);
  const link = nextLink(served, question, rows, request);
  if (link !== undefined) reply.header("link", link);
  let whole = "";
  for await (const text of textOf(served, question, [rows], media)) whole += text;
  return reply.send(whole);
}

function textOf(
  { toJson }: ServedTable,
  { selection, keepsFormulas }: RowQuestion,
  pieces: Pieces,
  media: Exclude<Media, "parquet">,
): AsyncGenerator<string> {
  if (media === "csv") return csvPieces(pieces, selection.wanted, keepsFormulas);
  return (media === "json" ? jsonPieces : ndjsonPieces)(pieces, toJson(selection.wanted));
}

async function* behind(
  first: readonly EngineRow[],
  rest: AsyncGenerator<readonly EngineRow[], void>,
): AsyncGenerator<readonly EngineRow[]> {
  try {
    yield first;
    yield* rest;
  } finally {
    await rest.return();
  }
}

/** Where the rows behind the last one are, by the values that it has in the columns of the order. */
function nextLink(
  { table }: ServedTable,
  { selection, take }: RowQuestion,
  rows: readonly EngineRow[],
  request: FastifyRequest,
): string | undefined {
  const last = rows.at(-1);
  const { order, wanted } = selection;
  if (last === undefined || rows.length < take || table.key.length === 0) return undefined;
  if (!order.every(({ column }) => wanted.includes(column))) return undefined;
  const values = order.map(({ column }) => jsonValue(last[column] ?? null));
  const path = request.url.split("?")[0] ?? "";
  const pairs = pairsOf(request).filter(([name]) => name !== "skip" && name !== "after");
  const query = new URLSearchParams([
    ...pairs.map(([name, value]): [string, string] => [name, value]),
    ["after", JSON.stringify(values)],
  ]);
  return `<${path}?${query.toString()}>; rel="next"`;
}

async function sendParquet(
  { table }: ServedTable,
  { selection }: RowQuestion,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const file = await table.parquet(selection, request.server.millrace.scratch);
  return reply.headers({ "content-type": mediaTypes.parquet, "content-length": file.sizeBytes }).send(file.stream);
}
