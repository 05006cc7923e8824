import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { errorCodes, MillraceError, toMillraceError } from "../core/error.ts";
import { sendAndDrain } from "./early-answer.ts";
import { type FieldFault, Problem, fieldProblem, problem, problemOf } from "./problem.ts";

/** Every error is answered as JSON: what was wrong and what to do, without stack, path or secret. */
export function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler((request, reply) => send(request, reply, unknownRoute(app, request)));
  app.setErrorHandler((error, request, reply) => {
    const found = toProblem(error, request);
    if (found.status >= 500 || error instanceof MillraceError)
      request.log.error({ request: request.id, err: error }, "the request failed");
    return send(request, reply, found);
  });
}

function send(request: FastifyRequest, reply: FastifyReply, { status, body, headers }: Problem): FastifyReply {
  if (status === 413) return sendAndDrain(request, reply, status, body);
  return reply.code(status).headers(headers).type("application/json").send(body);
}

function toProblem(error: unknown, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof MillraceError) return problemOf(error, errorCodes[error.code].title, request.id);
  const { validation, validationContext, statusCode } = error as Partial<FastifyError>;
  if (validation !== undefined) {
    return fieldProblem(...validation.map((fault) => faultOf(fault, validationContext ?? "body")));
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return ofFramework(error as FastifyError);
  return problemOf(toMillraceError(error), errorCodes.INTERNAL.title, request.id);
}

type Fault = NonNullable<FastifyError["validation"]>[number];

const contexts: Readonly<Record<string, string>> = { querystring: "query", params: "path", headers: "header" };

function faultOf({ instancePath, params, message = "is not valid", keyword }: Fault, context: string): FieldFault {
  const missing = (params as { readonly missingProperty?: string }).missingProperty;
  const path = instancePath.split("/").slice(1);
  const loc = [contexts[context] ?? context, ...path, ...(missing === undefined ? [] : [missing])];
  if (missing !== undefined) return { loc, msg: "field required", type: "value_error.missing" };
  return { loc, msg: message, type: `value_error.${keyword}` };
}

/** Errors of the HTTP layer itself: their messages are about the request, not about the server. */
function ofFramework({ statusCode = 400, code, message }: FastifyError): Problem {
  if (statusCode === 413) return tooLarge();
  if (statusCode === 429) return new Problem(429, { error: message });
  const what = known[code] ?? "The request cannot be read";
  return problem(statusCode, "REQUEST_INVALID", what, "Compare the request with what /docs shows for the route.");
}

const known: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "The body is of a type that the route does not take",
  FST_ERR_CTP_INVALID_JSON_BODY: "The body is not JSON",
  FST_ERR_CTP_EMPTY_JSON_BODY: "The body is empty where JSON is expected",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "The body is not as long as Content-Length says",
  FST_INVALID_MULTIPART_CONTENT_TYPE: "The body is not multipart/form-data",
  FST_PARTS_LIMIT: "The form has too many parts",
  FST_FIELDS_LIMIT: "The form has too many fields",
  FST_FILES_LIMIT: "The form has too many files",
};

export function tooLarge(): Problem {
  return problem(
    413,
    "REQUEST_TOO_LARGE",
    "The body is larger than the server takes",
    "Send it in parts; large files are loaded with millrace load or through the inbox.",
  );
}

function unknownRoute(app: FastifyInstance, request: FastifyRequest): Problem {
  const path = request.url.split("?")[0] ?? "";
  const others = methods.filter((method) => app.hasRoute({ method, url: path.replace(/(?<=.)\/$/, "") }));
  if (others.length === 0) return problem(404, "ROUTE_UNKNOWN", "There is nothing at this address", "See /docs.");
  const allow = others.join(", ");
  return problem(405, "ROUTE_UNKNOWN", `This address takes ${allow}`, "See /docs.", { allow });
}

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
