import type { FastifyInstance, FastifyRequest } from "fastify";

/**
 * The parameters of a request, each as text: of the query string, else of the body, be it a JSON object, a form, or a
 * text that starts with `?` as some callers send it. Empty values count as absent; of a repeated name the first counts.
 */
export type Fields = ReadonlyMap<string, string>;

export function parsePairs(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) addField(fields, name, value);
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
  const body: unknown = request.body;
  if (body instanceof Map) {
    for (const [name, value] of body as Map<string, string>) addField(fields, name, value);
  } else if (typeof body === "object" && body !== null && !Array.isArray(body)) {
    for (const [name, value] of Object.entries(body)) if (isPlain(value)) addField(fields, name, String(value));
  }
  return fields;
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** Reads the bodies that callers send: forms, and whatever starts with `?` or has no type. JSON is read by the framework. */
export function readBodies(app: FastifyInstance): void {
  app.addContentTypeParser(
    ["application/x-www-form-urlencoded", "text/plain"],
    { parseAs: "string" },
    (_, body, done) => done(null, parsePairs(String(body).trim().replace(/^\?/, ""))),
  );
  // A body of a type that nobody reads is refused when a route needs it, and else not looked at.
  app.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => {
    const text = String(body).trim();
    done(null, text.startsWith("?") ? parsePairs(text.slice(1)) : undefined);
  });
}
