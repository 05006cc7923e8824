import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { addCounts, type Counts, noCounts } from "../../core/ledger.ts";
import { limit } from "../../core/limit.ts";
import { reasonCodes, type StoredReject } from "../../core/reject.ts";
import type { RejectChoice, Sink } from "../../ports/sink.ts";
import type { Catalogue, KnownPlace } from "../../runtime/catalogue.ts";
import { keptPipeline } from "../../runtime/kept-pipeline.ts";
import { chooseRejects, rejectPages, unknownReject } from "../../runtime/reject-choice.ts";
import { rejectCsv, rejectCsvHeader } from "../../runtime/reject-csv.ts";
import { storedJson } from "../../runtime/reject-json.ts";
import { replayChosen } from "../../runtime/replay-chosen.ts";
import type { Session } from "../../runtime/session.ts";
import { requireContract, type PipelineWithContract } from "../../runtime/target.ts";
import { requireRole } from "../login.ts";
import { errorAnswers } from "../openapi.ts";
import { fieldProblem, type Problem, problem } from "../problem.ts";
import { answers, countFields, list, nullable, record, security, text, whole } from "./shape.ts";

const anything = { type: "object", additionalProperties: true } as const;
const id = { type: "string", pattern: "^[0-9]{1,18}$" } as const;

const rejectSchema = record({
  ...{ id: text, warehouse: text, pipeline: text, source: text, line: nullable("integer"), offset: text },
  ...{ record: text, recordBase64: nullable("string"), truncated: { type: "boolean" } },
  reasons: list(record({ code: text, column: nullable("string"), value: nullable("string"), message: text })),
  ...{ state: text, attempts: whole, rejectedAt: text, batch: text, number: whole, format: anything },
});

const which = {
  pipeline: { type: "string" },
  code: { type: "string", enum: reasonCodes, description: "Those with a reason of this code" },
  state: { type: "string", enum: ["open", "replayed", "all"], default: "open" },
} as const;

interface Which {
  readonly pipeline?: string;
  readonly code?: string;
  readonly state: "open" | "replayed" | "all";
}

const errors = errorAnswers(401, 403, 404, 422, 429, 503);
const placeParams = { type: "object", properties: { warehouse: text }, required: ["warehouse"] } as const;

/** `/api/rejects…`: what `millrace rejects` does. */
export function addRejectRoutes(app: FastifyInstance, catalogue: Catalogue, session: Session): void {
  addGroups(app, catalogue);
  addList(app, catalogue);
  addOne(app, catalogue);
  addExport(app, catalogue);
  addReplay(app, catalogue, session);
}

function addGroups(app: FastifyInstance, catalogue: Catalogue): void {
  const group = { ...{ warehouse: text, pipeline: text, code: text }, column: nullable("string"), count: whole };
  const schema = {
    tags: ["api"],
    summary: "Open rejects by reason, most first",
    description: "Needs the role reader.",
    security,
    querystring: { type: "object", properties: { warehouse: text, pipeline: text } },
    response: { 200: answers("Groups", { groups: list(record(group)) }), ...errors },
  };
  app.get("/api/rejects/groups", { schema }, async (request) => {
    await requireRole(request, "reader");
    const { warehouse, pipeline } = request.query as { readonly warehouse?: string; readonly pipeline?: string };
    const places = warehouse === undefined ? catalogue.places : [placeOf(catalogue, warehouse)];
    const groups = await Promise.all(
      places.map(async (place) => {
        const found = await place.ask(({ records }) => records.rejectSummary(pipeline));
        return found.map((one) => ({ ...one, warehouse: place.name, column: one.column ?? null }));
      }),
    );
    return { groups: groups.flat().sort((a, b) => b.count - a.count) };
  });
}

function addList(app: FastifyInstance, catalogue: Catalogue): void {
  const schema = {
    tags: ["api"],
    summary: "Rejects: the newest first, or ascending behind `after`",
    description: "Needs the role reader.",
    security,
    querystring: {
      type: "object",
      properties: {
        ...{ warehouse: text, ...which, after: id },
        limit: { type: "integer", minimum: 1, maximum: limit.rejectsPage, default: 50 },
      },
      required: ["warehouse"],
    },
    response: {
      200: answers("Rejects", { rejects: list(rejectSchema), next: nullable("string"), count: whole }),
      ...errors,
    },
  };
  app.get("/api/rejects", { schema }, async (request) => {
    await requireRole(request, "reader");
    const { warehouse, after, limit: most, ...rest } = request.query as Which & ListQuery;
    const place = placeOf(catalogue, warehouse);
    const choice = choiceOf(rest);
    const order = after === undefined ? ({ order: "newest" } as const) : { after: BigInt(after) };
    return place.ask(async ({ records }) => {
      const rejects = await records.rejects({ ...choice, ...order, limit: most });
      const last = after === undefined || rejects.length < most ? undefined : rejects.at(-1);
      const next = last === undefined ? null : String(last.id);
      return {
        rejects: rejects.map((one) => jsonOf(place, one)),
        next,
        count: await records.countRejects(choice),
      };
    });
  });
}

interface ListQuery {
  readonly warehouse: string;
  readonly after?: string;
  readonly limit: number;
}

function addOne(app: FastifyInstance, catalogue: Catalogue): void {
  const params = { type: "object", properties: { warehouse: text, id }, required: ["warehouse", "id"] } as const;
  const schema = {
    tags: ["api"],
    summary: "One reject, with all that is known of it",
    description: "Needs the role reader.",
    security,
    params,
    response: {
      200: { description: "The reject", content: { "application/json": { schema: rejectSchema } } },
      ...errors,
    },
  };
  app.get("/api/rejects/:warehouse/:id", { schema }, async (request) => {
    await requireRole(request, "reader");
    const { warehouse, id: number } = request.params as { readonly warehouse: string; readonly id: string };
    const place = placeOf(catalogue, warehouse);
    return place.ask(async (sink) => {
      const [found] = await sink.records.rejects({ ids: [BigInt(number)], limit: 1 });
      if (found === undefined) throw unknownReject(BigInt(number), sink);
      return jsonOf(place, found);
    });
  });
}

function addExport(app: FastifyInstance, catalogue: Catalogue): void {
  const schema = {
    tags: ["api"],
    summary: "Rejects as CSV, a line for each reason",
    description: "Needs the role reader.",
    security,
    params: placeParams,
    querystring: { type: "object", properties: which },
    response: {
      200: { description: "CSV", content: { "text/csv": { schema: { type: "string" } } } },
      ...errors,
    },
  };
  app.get("/api/rejects/:warehouse/export.csv", { schema }, async (request, reply) => {
    await requireRole(request, "reader");
    const place = placeOf(catalogue, (request.params as { readonly warehouse: string }).warehouse);
    const sink = await place.sink();
    reply.type("text/csv; charset=utf-8").header("content-disposition", 'attachment; filename="rejects.csv"');
    return Readable.from(csvOf(sink, choiceOf(request.query as Which)), { objectMode: false });
  });
}

async function* csvOf(sink: Sink, choice: RejectChoice): AsyncGenerator<string, void> {
  yield rejectCsvHeader;
  for await (const page of rejectPages(sink, choice)) yield page.map((reject) => rejectCsv(reject)).join("");
}

const correctionsMax = 1_000;

function addReplay(app: FastifyInstance, catalogue: Catalogue, session: Session): void {
  const body = {
    type: "object",
    properties: {
      ids: { type: "array", items: id, maxItems: correctionsMax, description: "As they were" },
      corrections: {
        type: "array",
        items: { type: "object", properties: { id, record: text }, required: ["id", "record"] },
        maxItems: correctionsMax,
        description: "With this record instead",
      },
      ...{ code: which.code, pipeline: which.pipeline },
      all: { type: "boolean", description: "All that are open" },
    },
    additionalProperties: false,
  } as const;
  const schema = {
    tags: ["api"],
    summary: "Send rejects again through today's pipeline, each once",
    description: "What fails again stays open with its new reasons. Needs the role writer.",
    security,
    params: placeParams,
    body,
    response: { 200: answers("Done", { ...countFields, notices: list(text) }), ...errorAnswers(409), ...errors },
  };
  app.post("/api/rejects/:warehouse/replay", { schema }, async (request) => {
    await requireRole(request, "writer");
    const place = placeOf(catalogue, (request.params as { readonly warehouse: string }).warehouse);
    return replay(catalogue, session, place, request.body as ReplayBody);
  });
}

interface ReplayBody {
  readonly ids?: readonly string[];
  readonly corrections?: readonly { readonly id: string; readonly record: string }[];
  readonly code?: string;
  readonly pipeline?: string;
  readonly all?: boolean;
}

async function replay(catalogue: Catalogue, session: Session, place: KnownPlace, body: ReplayBody): Promise<object> {
  const { ids = [], corrections = [], ...rest } = body;
  if (ids.length + corrections.length === 0 && rest.code === undefined && rest.all !== true) throw nothingSaid();
  const corrected = new Map(corrections.map((one) => [BigInt(one.id), Buffer.from(one.record, "utf8")]));
  const wanted = [...new Set([...ids.map(BigInt), ...corrected.keys()])];
  return place.ask(async (sink) => {
    const choice = await chooseRejects(sink, { ...rest, ids: wanted, corrected });
    const notices: string[] = [];
    let counts: Counts = noCounts;
    for (const name of choice.pipelines) {
      const pipeline = await pipelineOf(catalogue, place, sink, name);
      const onEvent = (event: { readonly event: string; readonly text?: string }): void => {
        if (event.event === "notice" && event.text !== undefined && notices.length < limit.rejectsShown)
          notices.push(event.text);
      };
      const sent = await session.within((inner) => replayChosen(inner, pipeline, choice, { onEvent }));
      counts = addCounts(counts, sent);
    }
    const { read, loaded, merged, filtered, rejected } = counts;
    return { read, loaded, merged, filtered, rejected, notices };
  });
}

/** The service's own pipeline as it is today, else what the place remembers of it. */
async function pipelineOf(
  catalogue: Catalogue,
  place: KnownPlace,
  sink: Sink,
  name: string,
): Promise<PipelineWithContract> {
  const own = catalogue.pipelines.find((one) => one.place === place && one.name === name);
  return own === undefined ? keptPipeline(sink, name, place.url, place.options) : requireContract(own.pipeline);
}

function choiceOf({ pipeline, code, state }: Which): RejectChoice {
  return {
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(code === undefined ? {} : { code }),
    ...(state === "all" ? {} : { state }),
  };
}

function jsonOf(place: KnownPlace, reject: StoredReject): object {
  const { line, offset, truncated, reasons, format } = reject;
  return {
    ...{ recordBase64: null, ...storedJson(reject), warehouse: place.name, line: line ?? null },
    ...{ offset: String(offset), truncated, format },
    reasons: reasons.map(({ code, column = null, value = null, message }) => ({ code, column, value, message })),
  };
}

/** Throws 404 for a warehouse that the service has not. */
export function placeOf(catalogue: Catalogue, name: string): KnownPlace {
  const place = catalogue.place(name);
  if (place !== undefined) return place;
  throw unknownPlace(catalogue.places.map((one) => one.name));
}

function unknownPlace(names: readonly string[]): Problem {
  return problem(404, "ROUTE_UNKNOWN", "There is no such warehouse", `Warehouses are ${names.join(", ")}.`);
}

function nothingSaid(): Problem {
  const msg = "ids, corrections, code or all says which rejects to replay";
  return fieldProblem({ loc: ["body"], msg, type: "value_error.missing" });
}
