import { errorAnswers, type FastifyInstance, MillraceError, Problem, type TicketLook } from "../../src/index.ts";
import { requireApproval } from "./approval-routes.ts";
import type { Approvals } from "./approvals.ts";
import { Parameters } from "./parameters.ts";
import { replicaNameOf } from "./replica-files.ts";
import type { LoadOutcome, Replicating } from "./replicating.ts";
import type { Reporting } from "./reporting.ts";

export interface TicketRouteParts {
  readonly approvals: Approvals;
  readonly replicating: Replicating;
  readonly reporting: Reporting;
}

const saying = (name: string, ...values: readonly string[]): object => ({
  description: "Done",
  content: {
    "application/json": {
      schema: { type: "object", properties: { [name]: { type: "string", enum: values } }, required: [name] },
    },
  },
});

/** `GET /register_replicas`, `/stop_calling_registry`, `/unregister_replicas`, `/tickets`, and `POST /loadDf2redis`. */
export function addTicketRoutes(app: FastifyInstance, parts: TicketRouteParts): void {
  addRegister(app, parts);
  addStop(app, parts);
  addUnregister(app, parts);
  addLoad(app, parts);
  addTickets(app, parts);
}

function addRegister(app: FastifyInstance, { approvals, replicating }: TicketRouteParts): void {
  const schema = {
    tags: ["replicas"],
    summary: "Register the files that are announced",
    description: "READY tickets become REGISTERED. Callers that are not approved are answered `blocked`.",
    response: { 200: saying("registry", "success", "blocked"), ...errorAnswers(429, 503) },
  };
  app.get("/register_replicas", { schema }, async (request) => {
    if (!(await approvals.isApproved(request))) return { registry: "blocked" };
    await replicating.register();
    return { registry: "success" };
  });
}

function addStop(app: FastifyInstance, { approvals, replicating }: TicketRouteParts): void {
  const schema = {
    tags: ["replicas"],
    summary: "Stop the registration by schedule until the next ticket appears",
    description: "Needs approval.",
    response: {
      200: { description: "Done", content: { "application/json": { schema: { type: "null" } } } },
      ...errorAnswers(403, 429, 503),
    },
  };
  app.get("/stop_calling_registry", { schema }, async (request, reply) => {
    await requireApproval(approvals, request, {});
    await replicating.stopRegistering();
    return reply.type("application/json").send("null");
  });
}

function addUnregister(app: FastifyInstance, { approvals, replicating }: TicketRouteParts): void {
  const schema = {
    tags: ["replicas"],
    summary: "Remove the replicas that are loaded",
    description: "PROCESSED tickets become READY, and their replicas leave the cache. Needs approval.",
    response: { 200: saying("unregistry", "success"), ...errorAnswers(403, 429, 503) },
  };
  app.get("/unregister_replicas", { schema }, async (request) => {
    await requireApproval(approvals, request, { unregistry: "blocked" });
    await replicating.unregister();
    return { unregistry: "success" };
  });
}

const ticketSchema = {
  type: "object",
  properties: { file_name: { type: "string" }, status: { type: "string" }, load_dttm: { type: "string" } },
};

function addLoad(app: FastifyInstance, { approvals, replicating, reporting }: TicketRouteParts): void {
  const form = {
    type: "object",
    properties: {
      email: {
        type: "string",
        description: "Gets the report, where its address or domain is on the list of replicas.mailTo",
      },
      force_reload: { type: "integer", enum: [0, 1], description: "1 loads PROCESSED tickets once more" },
    },
  };
  const schema = {
    tags: ["replicas"],
    summary: "Load the files that are registered",
    description:
      "Each replaces its replica in one step. Answers the last ticket that was processed; `GET /tickets` has all. Needs approval.",
    response: {
      200: {
        description: "The last ticket that was processed",
        content: { "application/json": { schema: ticketSchema } },
      },
      ...errorAnswers(400, 403, 409, 422, 429, 503),
    },
  };
  app.post("/loadDf2redis", { schema, attachValidation: true, config: { form } }, async (request) => {
    await requireApproval(approvals, request, {});
    const parameters = new Parameters(request);
    const force = parameters.flag("force_reload");
    const report = reporting.to(parameters.text("email"));
    const outcomes = await replicating.load(force).catch(async (error: unknown) => {
      await report.failed(error);
      throw error;
    });
    for (const outcome of outcomes) {
      if ("error" in outcome) request.log.error({ err: outcome.error, request: request.id }, "a file was not loaded");
    }
    await report.send(outcomes);
    return answerOf(outcomes, await replicating.tickets());
  });
}

function answerOf(outcomes: readonly LoadOutcome[], looks: readonly TicketLook[]): object {
  const last = outcomes.findLast((one) => !("error" in one))?.ticket;
  const failed = outcomes.find((one) => "error" in one);
  if (last === undefined && failed !== undefined) {
    const { error } = failed;
    throw new Problem(409, {
      error: error.message,
      code: error.code,
      remedy: error.remedy,
      file_name: failed.ticket.fileName,
    });
  }
  const processed = looks.flatMap(({ ticket }) => (ticket?.status === "PROCESSED" ? [ticket] : []));
  const latest = processed.toSorted((a, b) => ((a.loadDttm ?? "") < (b.loadDttm ?? "") ? -1 : 1)).at(-1);
  const { fileName, status, loadDttm } = last ?? latest ?? {};
  return fileName === undefined ? {} : { file_name: fileName, status, load_dttm: loadDttm };
}

function addTickets(app: FastifyInstance, { replicating }: TicketRouteParts): void {
  const properties = {
    ticket: { type: "string" },
    ...ticketSchema.properties,
    prim_index: { type: "string" },
    replica: { type: "string" },
    size: { type: "integer", description: "Bytes of the file" },
    error: { type: "string", description: "What is wrong with the ticket or its file" },
    code: { type: "string" },
    remedy: { type: "string" },
  };
  const schema = {
    tags: ["replicas"],
    summary: "List all tickets, with what is wrong with them",
    response: {
      200: {
        description: "Tickets by name",
        content: {
          "application/json": {
            schema: { type: "array", items: { type: "object", properties, required: ["ticket"] } },
          },
        },
      },
      ...errorAnswers(429, 503),
    },
  };
  app.get("/tickets", { schema }, async () => (await replicating.tickets()).map(shown));
}

function shown({ name, ticket, file, fault }: TicketLook): object {
  return {
    ticket: name,
    ...(ticket === undefined
      ? {}
      : {
          file_name: ticket.fileName,
          status: ticket.status,
          ...(ticket.loadDttm === undefined ? {} : { load_dttm: ticket.loadDttm }),
          ...(ticket.primIndex === undefined ? {} : { prim_index: ticket.primIndex }),
          replica: replicaNameOf(ticket.fileName),
        }),
    ...(file === undefined ? {} : { size: file.sizeBytes }),
    ...(fault instanceof MillraceError ? { error: fault.message, code: fault.code, remedy: fault.remedy } : {}),
  };
}
