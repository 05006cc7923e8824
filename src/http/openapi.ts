import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance, FastifySchema, RouteOptions } from "fastify";

/** Describes all routes that are added behind it in OpenAPI 3.1: `/openapi.json`, and `/docs` to read and try them. */
export async function describeRoutes(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Millrace",
        version,
        description: "Data in, each record exactly once, every bad row accounted for.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      components: {
        securitySchemes: {
          basic: { type: "http", scheme: "basic", description: "millrace user add NAME --role ROLE" },
          session: { type: "apiKey", in: "cookie", name: "millrace_session", description: "POST /api/session" },
        },
      },
    },
    hideUntagged: true,
    transform: ({ schema, url, route }) => ({ schema: withForm(schema, route), url }),
  });
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    uiConfig: { docExpansion: "list", deepLinking: true, tryItOutEnabled: true, persistAuthorization: false },
    staticCSP: true,
    // The server may well be reached without TLS, and the page styles itself.
    transformStaticCSP: (header) =>
      header
        .replace(/\s*upgrade-insecure-requests;?/, "")
        .replace(/style-src [^;]*/, "style-src 'self' 'unsafe-inline'"),
    theme: { title: "Millrace: routes" },
  });
  app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** Schema of a form that the route reads itself: the framework sees no body to validate. */
    form?: object;
  }
}

function withForm(schema: FastifySchema, route: RouteOptions): FastifySchema {
  const form = route.config?.form;
  if (form === undefined) return schema;
  const isFile = JSON.stringify(form).includes('"binary"');
  const consumes = isFile ? ["multipart/form-data"] : ["application/x-www-form-urlencoded", "multipart/form-data"];
  return { ...schema, body: form, consumes };
}

const errorSchema = {
  type: "object",
  properties: {
    error: { type: "string", description: "What was wrong" },
    code: { type: "string", description: "One of the codes of docs/errors.md" },
    remedy: { type: "string", description: "What to do" },
    request: { type: "string", description: "The request, as the log names it" },
  },
} as const;

const detailSchema = {
  type: "object",
  properties: {
    detail: {
      description: "A sentence, or what is wrong with each field",
      anyOf: [
        { type: "string" },
        {
          type: "array",
          items: {
            type: "object",
            properties: {
              loc: { type: "array", items: { type: ["string", "integer"] } },
              msg: { type: "string" },
              type: { type: "string" },
            },
            required: ["loc", "msg", "type"],
          },
        },
      ],
    },
  },
  required: ["detail"],
} as const;

const answers: Readonly<Record<number, readonly [string, object]>> = {
  400: ["Wrong credentials in the form, or a body that cannot be read", { anyOf: [detailSchema, errorSchema] }],
  401: ["Wrong or missing credentials (HTTP Basic)", detailSchema],
  403: ["The user's role is too low", errorSchema],
  404: ["There is no such thing", errorSchema],
  405: ["It cannot be done with this", errorSchema],
  409: ["It is not what it should be", errorSchema],
  406: ["It cannot be had in a form that Accept names", errorSchema],
  412: ["The row is not as If-Match says", errorSchema],
  413: ["The body is too large", errorSchema],
  414: ["The address is too long", errorSchema],
  422: ["A field is missing or has a wrong value", detailSchema],
  429: ["Too many requests; Retry-After says when to come again", errorSchema],
  503: ["The database is away or busy; Retry-After says when to come again", errorSchema],
};

/** Descriptions of the errors that a route may answer with. */
export function errorAnswers(...statuses: readonly number[]): Record<string, object> {
  return Object.fromEntries(
    statuses.map((status) => {
      const [description, schema] = answers[status] ?? ["An error", errorSchema];
      return [String(status), { description, content: { "application/json": { schema } } }];
    }),
  );
}
