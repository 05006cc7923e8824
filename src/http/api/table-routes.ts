import type { FastifyInstance, FastifyRequest } from "fastify";
import { jsonValue } from "../../core/json-value.ts";
import { limit } from "../../core/limit.ts";
import type { Reject } from "../../core/reject.ts";
import { type Catalogue, type KnownPlace, tableOf } from "../../runtime/catalogue.ts";
import { previewHandover } from "../../runtime/handover-preview.ts";
import type { Handover } from "../../runtime/intake.ts";
import { rejectJson } from "../../runtime/reject-json.ts";
import type { Session } from "../../runtime/session.ts";
import { requireContract } from "../../runtime/target.ts";
import type { IntakeMode, Warehouse } from "../../runtime/warehouse.ts";
import { receiveForm } from "../form.ts";
import { requireRole } from "../login.ts";
import { errorAnswers } from "../openapi.ts";
import { fieldProblem, missingField, type Problem, problem } from "../problem.ts";
import { columnSchema, columnsOf } from "./pipeline-routes.ts";
import { placeOf } from "./reject-routes.ts";
import { answers, countFields, list, nullable, record, security, text, whole } from "./shape.ts";

const params = {
  type: "object",
  properties: { warehouse: text, table: text },
  required: ["warehouse", "table"],
} as const;

const form = {
  type: "object",
  properties: { file: { type: "string", format: "binary", description: "CSV without header" } },
  required: ["file"],
};

const rejectSchema = record({
  ...{ line: nullable("integer"), offset: text, record: text, recordBase64: nullable("string") },
  truncated: { type: "boolean" },
  reasons: list(record({ code: text, column: nullable("string"), value: nullable("string"), message: text })),
});

const errors = errorAnswers(400, 401, 403, 404, 413, 422, 429, 503);

/** `/api/tables…`: what tables there are, and files for them, looked at before they are loaded. */
export function addTableRoutes(app: FastifyInstance, catalogue: Catalogue, session: Session): void {
  addTables(app, catalogue);
  addPreview(app, catalogue, session);
  addUpload(app, catalogue);
}

function addTables(app: FastifyInstance, catalogue: Catalogue): void {
  const table = record({
    ...{ name: text, rowsPath: text, uploadable: { type: "boolean" } },
    ...{ columns: list(columnSchema), pipelines: list(text) },
  });
  const warehouse = record({ name: text, place: text, guarantee: text, tables: list(table) });
  const schema = {
    tags: ["api"],
    summary: "The warehouses and their tables",
    description: "Needs the role reader.",
    security,
    response: { 200: answers("Warehouses", { warehouses: list(warehouse) }), ...errorAnswers(401, 403, 429, 503) },
  };
  app.get("/api/tables", { schema }, async (request) => {
    await requireRole(request, "reader");
    return { warehouses: await Promise.all(catalogue.places.map((place) => warehouseOf(catalogue, place))) };
  });
}

async function warehouseOf(catalogue: Catalogue, place: KnownPlace): Promise<object> {
  const own = catalogue.pipelines.filter((one) => one.place === place);
  const { facts } = await place.sink();
  const tables = [...Map.groupBy(own, tableOf)].map(([name, pipelines]) => {
    const contract = pipelines.find(({ pipeline }) => pipeline.contract !== undefined)?.pipeline.contract;
    return {
      name,
      rowsPath: `/tables/${encodeURIComponent(name)}/rows`,
      uploadable: place.warehouse?.contracts.has(name) === true,
      columns: contract === undefined ? [] : columnsOf(contract),
      pipelines: pipelines.map((one) => one.name),
    };
  });
  return { name: place.name, place: place.shown, guarantee: facts.guarantee, tables };
}

function addPreview(app: FastifyInstance, catalogue: Catalogue, session: Session): void {
  const reason = record({ code: text, column: nullable("string"), count: whole });
  const answer = answers("What it would become", {
    ...{ file: text, table: text, columns: list(text), read: whole, good: whole, rejected: whole, filtered: whole },
    rows: list({ type: "object", additionalProperties: true }),
    ...{ reasons: list(reason), rejects: list(rejectSchema) },
  });
  const rows = { type: "integer", minimum: 0, maximum: 1_000, default: limit.rowsShown } as const;
  const schema = {
    tags: ["api"],
    summary: "Check a file against a table's contract; nothing is written",
    description: "Keys are not compared with those of the table. Needs the role writer.",
    security,
    params,
    querystring: { type: "object", properties: { rows } },
    response: { 200: answer, ...errors },
  };
  app.post("/api/tables/:warehouse/:table/preview", { schema, config: { form } }, async (request) => {
    await requireRole(request, "writer");
    const { warehouse, table } = warehouseOfRequest(catalogue, request);
    const { rows: rowsMax } = request.query as { readonly rows: number };
    return withFile(app, request, async (handover) => {
      const pipeline = requireContract(warehouse.pipelineOf(table, "merge"));
      const seen = await previewHandover(session, pipeline, handover, rowsMax);
      const { read, rejected, filtered, reasons } = seen;
      return {
        ...{ file: handover.source, table, columns: Object.keys(pipeline.contract.columns) },
        ...{ read, good: read - rejected - filtered, rejected, filtered },
        ...{ rows: seen.rows.map(jsonValue), reasons, rejects: seen.rejects.map(jsonOf) },
      };
    });
  });
}

function addUpload(app: FastifyInstance, catalogue: Catalogue): void {
  const mode = { type: "string", enum: ["merge", "append"], default: "merge" } as const;
  const schema = {
    tags: ["api"],
    summary: "Load a file into a table, in one transaction",
    description: "Needs the role writer.",
    security,
    params,
    querystring: { type: "object", properties: { mode } },
    response: {
      200: answers("Done: all that is counted is durable", {
        ...{ file: text, table: text, ...countFields },
        rejects: list(rejectSchema),
      }),
      ...errors,
    },
  };
  app.post("/api/tables/:warehouse/:table/upload", { schema, config: { form } }, async (request) => {
    await requireRole(request, "writer");
    const { warehouse, table } = warehouseOfRequest(catalogue, request);
    const intake = await warehouse.intake(table, (request.query as { readonly mode: IntakeMode }).mode);
    return withFile(app, request, async (handover) => {
      const { rejects, read, loaded, merged, filtered, rejected } = await intake.take(handover);
      const shown = rejects.slice(0, limit.rejectsShown).map(jsonOf);
      return { file: handover.source, table, read, loaded, merged, filtered, rejected, rejects: shown };
    });
  });
}

/** The warehouse that takes files for the table. Throws 404. */
function warehouseOfRequest(
  catalogue: Catalogue,
  request: FastifyRequest,
): { readonly warehouse: Warehouse; readonly table: string } {
  const { warehouse: name, table } = request.params as { readonly warehouse: string; readonly table: string };
  const { warehouse } = placeOf(catalogue, name);
  if (warehouse?.contracts.has(table) === true) return { warehouse, table };
  throw noFiles();
}

function noFiles(): Problem {
  return problem(404, "ROUTE_UNKNOWN", "No table of that name takes files", "GET /api/tables lists those that do.");
}

async function withFile<Result>(
  app: FastifyInstance,
  request: FastifyRequest,
  work: (handover: Handover) => Promise<Result>,
): Promise<Result> {
  await using received = await receiveForm(request, app.millrace.scratch, app.millrace.bodyBytes);
  const [file, second] = received.files;
  if (file === undefined) throw fieldProblem(missingField("body", "file"));
  if (second !== undefined)
    throw fieldProblem({ loc: ["body", "file"], msg: "one file is expected", type: "value_error.list" });
  const { name: source, spool } = file;
  return await work({ source, sizeBytes: spool.sizeBytes, bytes: () => spool.bytes() });
}

function jsonOf(reject: Reject): object {
  const { line, offset, truncated, reasons } = reject;
  return {
    ...{ recordBase64: null, ...rejectJson(reject), line: line ?? null, offset: String(offset), truncated },
    reasons: reasons.map(({ code, column = null, value = null, message }) => ({ code, column, value, message })),
  };
}
