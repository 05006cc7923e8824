import type { FastifyInstance } from "fastify";
import { type Contract, keyColumns } from "../../core/contract.ts";
import type { LedgerEntry } from "../../core/ledger.ts";
import { limit } from "../../core/limit.ts";
import { parsePlace } from "../../core/place.ts";
import type { Catalogue, KnownPipeline } from "../../runtime/catalogue.ts";
import { runsOf, spansOf } from "../../runtime/history.ts";
import type { Overview } from "../../runtime/overview.ts";
import { versionOf } from "../../runtime/target.ts";
import { requireRole } from "../login.ts";
import { errorAnswers } from "../openapi.ts";
import { pipelineSchema } from "./overview-routes.ts";
import { answers, countFields, list, nullable, record, security, text, whole } from "./shape.ts";

const anything = { type: "object", additionalProperties: true } as const;

export const columnSchema = record({ name: text, type: text, key: { type: "boolean" }, nullable: { type: "boolean" } });

export const nameParams = {
  type: "object",
  properties: { name: { type: "string", description: "Name of the pipeline" } },
  required: ["name"],
} as const;

const pageFields = {
  now: pipelineSchema,
  guarantee: record({ name: text, how: text }),
  contract: {
    type: ["object", "null"],
    properties: { table: text, columns: list(columnSchema), checks: list(text) },
  },
  configuration: record({ source: anything, sink: anything, version: text }),
  runs: list(
    record({
      ...{ run: text, startedAt: text, committedAt: text, batches: whole, sources: whole },
      ...{ balanced: { type: "boolean" }, ...countFields },
    }),
  ),
  lanes: list(record({ lane: text, source: text, epoch: whole, position: anything })),
  history: list(
    record({ ...{ at: text, seconds: whole, read: whole, rows: whole, rejected: whole }, batchMs: nullable("number") }),
  ),
};

/** `GET /api/pipelines/{name}` and its ledger. */
export function addPipelineRoutes(app: FastifyInstance, catalogue: Catalogue, overview: Overview): void {
  const schema = {
    tags: ["api"],
    summary: "A pipeline: its runs, lanes, contract, guarantee and configuration",
    description: "Needs the role reader.",
    security,
    params: nameParams,
    response: { 200: answers("The pipeline", pageFields), ...errorAnswers(401, 403, 404, 429, 503) },
  };
  app.get("/api/pipelines/:name", { schema }, async (request) => {
    await requireRole(request, "reader");
    const { name } = request.params as { readonly name: string };
    return pageOf(catalogue.pipeline(name), overview);
  });
  addLedger(app, catalogue);
}

function addLedger(app: FastifyInstance, catalogue: Catalogue): void {
  const schema = {
    tags: ["api"],
    summary: "The ledger of a pipeline, newest first",
    description: "Needs the role reader.",
    security,
    params: nameParams,
    querystring: {
      type: "object",
      properties: {
        run: { type: "string", description: "Batches of this run alone" },
        limit: { type: "integer", minimum: 1, maximum: limit.ledgerShown, default: 100 },
      },
    },
    response: {
      200: answers("Batches", { batches: list({ ...anything }) }),
      ...errorAnswers(401, 403, 404, 422, 429, 503),
    },
  };
  app.get("/api/pipelines/:name/batches", { schema }, async (request) => {
    await requireRole(request, "reader");
    const { name } = request.params as { readonly name: string };
    const { run, limit: most } = request.query as { readonly run?: string; readonly limit: number };
    const filter = { pipeline: name, limit: most, ...(run === undefined ? {} : { run }) };
    const entries = await catalogue.pipeline(name).place.ask(({ records }) => records.ledger(filter));
    return { batches: entries.map(batchOf) };
  });
}

async function pageOf(known: KnownPipeline, overview: Overview): Promise<object> {
  const { name, pipeline, place } = known;
  const now = await overview.of(name);
  return place.ask(async ({ facts, records }) => {
    const entries = await records.ledger({ pipeline: name, limit: limit.ledgerShown });
    const lanes = await records.checkpoints(name);
    return {
      now,
      guarantee: { name: facts.guarantee, how: facts.how },
      contract: pipeline.contract === undefined ? null : contractOf(pipeline.contract),
      configuration: {
        source: shownOptions(pipeline.source),
        sink: shownOptions(pipeline.sink),
        version: versionOf(pipeline),
      },
      runs: runsOf(entries),
      lanes: lanes
        .slice(0, limit.lanesShown)
        .map(({ lane, source, epoch, position }) => ({ lane, source, epoch, position })),
      history: spansOf(entries),
    };
  });
}

function contractOf(contract: Contract): object {
  return {
    table: contract.table,
    columns: columnsOf(contract),
    checks: contract.checks.map(({ name, sql }) => `${name}: ${sql}`),
  };
}

export function columnsOf(contract: Contract): object[] {
  const key = keyColumns(contract);
  return Object.entries(contract.columns).map(([name, column]) => {
    const isKey = key.includes(name);
    return { name, type: column.type, key: isKey, nullable: column.nullable === true && !isKey };
  });
}

/** Options that name a place are shown as places are: without what is secret. */
const placeOptions = ["state", "registry"];

function shownOptions(options: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name,
      placeOptions.includes(name) ? parsePlace(String(value)).shown : value,
    ]),
  );
}

function batchOf({ batch, run, version, lane, source, table, start, end, ...rest }: LedgerEntry): object {
  const { startedAt, committedAt, read, loaded, merged, filtered, rejected } = rest;
  const counts = { read, loaded, merged, filtered, rejected };
  return { batch: String(batch), run, version, lane, source, table, start, end, startedAt, committedAt, ...counts };
}
