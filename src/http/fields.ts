import type { FastifyInstance, FastifyRequest } from "fastify";
import { limit } from "../core/limit.ts";
import { problem } from "./problem.ts";

/**
 * The parameters of a request, each as text: of the query string, else of the body, be it a JSON object, a form, or a
 * text that starts with `?` as some callers send it. Empty values count as absent; of a repeated name the first counts.
 */
export type Fields = ReadonlyMap<string, string>;

/** Pairs beyond the first hundred are not read: nobody sends them, and each costs. */
export function parsePairs(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const pair of text.split("&", limit.formPairs)) {
    for (const [name, value] of new URLSearchParams(pair)) addField(fields, name, value);
  }
  return fields;
}

export function addField(fields: Map<string, string>, name: string, value: string): void {
  if (value !== "" && !fields.has(name)) fields.set(name, value);
}

/** Query strings as objects without prototype, for the validation of routes. */
export function parseQuery(text: string): Record<string, string> {
  return Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(parsePairs(text)));
}

/** Query string first, then what the body holds. */
export function fieldsOf(request: FastifyRequest): Fields {
  const fields = new Map(Object.entries(request.query as Record<string, string>));
  for (const [name, value] of postedFields(request)) addField(fields, name, value);
  return fields;
}

/** What the body holds, be it an object or a form. */
export function postedFields({ body }: FastifyRequest): Fields {
  if (body instanceof Map) return body as Map<string, string>;
  const fields = new Map<string, string>();
  if (typeof body !== "object" || body === null || Array.isArray(body)) return fields;
  for (const [name, value] of Object.entries(body)) if (isPlain(value)) addField(fields, name, String(value));
  return fields;
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/**
 * Reads the bodies that callers send by what they begin with, whatever type they are said to be of: `{` or `[` is JSON,
 * nothing is nothing, and all else is a form, perhaps behind a `?`. Multipart forms are read by who takes them.
 */
export function readBodies(app: FastifyInstance): void {
  const types = ["application/json", "application/x-www-form-urlencoded", "text/plain", "*"];
  for (const type of types) {
    if (type === "application/json") app.removeContentTypeParser(["application/json", "text/plain"]);
    app.addContentTypeParser(type, { parseAs: "string" }, (_, body, done) => {
      try {
        done(null, bodyOf(String(body).trim(), type));
      } catch {
        done(problem(400, "REQUEST_INVALID", "The body is not JSON", "Send a JSON object, or a form."), undefined);
      }
    });
  }
}

function bodyOf(text: string, type: string): unknown {
  if (text === "") return undefined;
  if (text.startsWith("{") || text.startsWith("[")) return JSON.parse(text);
  if (text.startsWith("?")) return parsePairs(text.slice(1));
  if (type === "application/json") return JSON.parse(text);
  return parsePairs(text);
}
