import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ColumnType } from "../core/contract.ts";
import type { Insight } from "../core/insight.ts";
import { limit } from "../core/limit.ts";
import { InsightParameterError, type Insights } from "../runtime/insights.ts";
import { parseQuery } from "./fields.ts";
import { errorAnswers } from "./openapi.ts";
import { fieldProblem, Problem } from "./problem.ts";

/** Records that an insight answers with unless `limit` says otherwise. */
const standardLimit = 100;

const limitSchema = {
  type: "integer",
  minimum: 0,
  maximum: limit.insightRows,
  default: standardLimit,
  description: "Records at most",
} as const;

/**
 * Routes over the insights: `/insights?table=NAME`, as callers know it, and one of its own for each, which says what
 * parameters it takes and which columns it answers with.
 */
export function addInsightRoutes(app: FastifyInstance, insights: Insights): void {
  const names = insights.all.map(({ name }) => name);
  const schema = {
    tags: ["insights"],
    summary: "The records of an insight",
    description: `\`table\` is one of ${names.join(", ")}; other parameters are those of the insight, which has a route of its own.`,
    querystring: {
      type: "object",
      properties: { table: { type: "string", description: "Name of the insight" }, limit: limitSchema },
      required: ["table"],
      additionalProperties: { type: "string" },
    },
    response: {
      200: answerSchema("Records of the insight", { type: "object", additionalProperties: true }),
      ...errorAnswers(405, 422, 429, 503),
    },
  };
  app.get("/insights", { schema }, (request, reply) => {
    const { table, limit: most, ...given } = request.query as Query;
    if (!names.includes(table)) throw new Problem(405, { error: `The insight ${table} is not supported` });
    return send(insights, table, given as Readonly<Record<string, string>>, most, request, reply);
  });
  for (const insight of insights.all) addOwnRoute(app, insights, insight);
}

/** As the schemas have made it: `limit` a number, what the insight takes text, or in its own route typed. */
interface Query {
  readonly table: string;
  readonly limit: number;
  readonly [parameter: string]: string | number | boolean;
}

function addOwnRoute(app: FastifyInstance, insights: Insights, insight: Insight): void {
  const parameters = insight.parameters.map((parameter): [string, object] => [
    parameter.name,
    { ...typeSchema(parameter.type), description: parameter.about, ...standardOf(parameter.default) },
  ]);
  const columns = insight.columns.map(({ name, type, about }): [string, object] => [
    name,
    { ...orNull(typeSchema(type)), ...(about === undefined ? {} : { description: about }) },
  ]);
  const [summary = insight.name, ...more] = insight.about.split("\n\n");
  const schema = {
    tags: ["insights"],
    summary,
    ...(more.length === 0 ? {} : { description: more.join("\n\n") }),
    querystring: { type: "object", properties: { ...Object.fromEntries(parameters), limit: limitSchema } },
    response: {
      200: answerSchema("Records, in the order of the insight", {
        type: "object",
        properties: Object.fromEntries(columns),
        required: insight.columns.map(({ name }) => name),
      }),
      ...errorAnswers(422, 429, 503),
    },
  };
  app.get(`/insights/${insight.name}`, { schema }, (request, reply) => {
    const { limit: most, ...given } = request.query as Omit<Query, "table">;
    const texts = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
    return send(insights, insight.name, texts, most as number, request, reply);
  });
}

/** `1e3` and `0x10` are numbers to the validation, which reads texts as JavaScript does, and none to people. */
function requireDigits({ url }: FastifyRequest): void {
  const text = parseQuery(url.split("?")[1] ?? "")["limit"];
  if (text === undefined || /^\d+$/.test(text)) return;
  throw fieldProblem({ loc: ["query", "limit"], msg: "must be integer", type: "value_error.type" });
}

/** What is cached is answered at once, without a turn of the event loop in between. */
function send(
  insights: Insights,
  name: string,
  given: Readonly<Record<string, string>>,
  most: number,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply | Promise<FastifyReply> {
  requireDigits(request);
  try {
    const look = insights.cachedAgain(name, given, most);
    const known = look();
    if (known !== undefined) return sendAnswer(known, request, reply, look);
  } catch (error) {
    throw asProblem(error);
  }
  return insights.answer(name, given, most).then(
    (answer) => sendAnswer(answer, request, reply),
    (error: unknown) => Promise.reject(asProblem(error)),
  );
}

/** `look` finds the answer again, where it is one that is kept. */
function sendAnswer(
  { body, etag }: InsightAnswer,
  request: FastifyRequest,
  reply: FastifyReply,
  look?: () => InsightAnswer | undefined,
): FastifyReply {
  const headers = { etag, "cache-control": "no-cache", "content-type": "application/json; charset=utf-8" };
  reply.headers(headers);
  if (request.headers["if-none-match"] === etag) return reply.code(304).send();
  if (look !== undefined) request.server.shortAnswers?.remember(request, reply, look);
  return reply.send(body);
}

function asProblem(error: unknown): Error {
  if (error instanceof InsightParameterError) {
    return fieldProblem({ loc: ["query", error.field], msg: error.message, type: "value_error" });
  }
  return error instanceof Error ? error : new Error(String(error));
}

type InsightAnswer = Awaited<ReturnType<Insights["answer"]>>;

function answerSchema(description: string, items: object): object {
  return { description, content: { "application/json": { schema: { type: "array", items } } } };
}

function standardOf(value: unknown): object {
  return value === undefined ? {} : { default: value };
}

function orNull(schema: { readonly type?: string }): object {
  return schema.type === undefined ? schema : { ...schema, type: [schema.type, "null"] };
}

/** As values stand in answers: decimals, dates and timestamps are text. */
function typeSchema(type: ColumnType): { readonly type?: string } {
  const types: Partial<Record<ColumnType, { readonly type?: string; readonly format?: string }>> = {
    integer: { type: "integer" },
    bigint: { type: "integer", format: "int64" },
    double: { type: "number" },
    boolean: { type: "boolean" },
    date: { type: "string", format: "date" },
    timestamp: { type: "string", format: "date-time" },
    json: {},
  };
  return types[type] ?? { type: "string" };
}
