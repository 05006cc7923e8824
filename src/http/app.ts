import { randomUUID } from "node:crypto";
import multipart from "@fastify/multipart";
import Fastify, { type FastifyInstance, type FastifyServerOptions, LogController } from "fastify";
import type { Users } from "../runtime/users.ts";
import { answerErrors, tooLarge } from "./errors.ts";
import { parseQuery, readBodies } from "./fields.ts";
import { describeRoutes } from "./openapi.ts";
import { protect } from "./protection.ts";

/** What the routes share, as `app.millrace`. */
export interface AppServices {
  readonly users: Users;
  readonly version: string;
  /** Largest body taken, in bytes. */
  readonly bodyBytes: number;
  /** Folder for what is received and does not fit in memory. */
  readonly scratch: string;
}

declare module "fastify" {
  interface FastifyInstance {
    readonly millrace: AppServices;
  }
}

export interface AppOptions {
  readonly services: AppServices;
  /** Requests per second, route and client address; 0 for no limit. */
  readonly rateLimit: number;
  /** Whether clients are known by X-Forwarded-For: only where a proxy of ours writes it. */
  readonly trustProxy: boolean;
  /** How long a whole request may take to arrive. */
  readonly requestMs: number;
  readonly server: Pick<FastifyServerOptions, "logger"> & { readonly https?: object };
}

const looksEveryMs = 5_000;

/** The server without a port: routes are added, `inject` asks them, and `server.ts` listens. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { services, requestMs } = options;
  // A request that takes too long is noticed at the next look.
  const looks = { connectionsCheckingInterval: Math.min(requestMs, looksEveryMs) };
  const { https, ...server } = options.server;
  const app = Fastify({
    ...server,
    ...((https === undefined ? { http: looks } : { https: { ...https, ...looks } }) as object),
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: options.trustProxy,
    bodyLimit: services.bodyBytes,
    requestTimeout: requestMs,
    keepAliveTimeout: 10_000,
    genReqId: () => randomUUID(),
    forceCloseConnections: "idle",
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 300, querystringParser: parseQuery },
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false, allErrors: true } },
  });
  app.decorate("millrace", services);
  // Answers are written as they are; schemas of answers describe, and drop nothing.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  answerErrors(app);
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    if (Number(request.headers["content-length"] ?? 0) > services.bodyBytes) throw tooLarge();
  });
  readBodies(app);
  await app.register(multipart);
  await protect(app, options.rateLimit);
  await describeRoutes(app, services.version);
  return app;
}
