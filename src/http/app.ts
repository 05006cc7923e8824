import { randomUUID } from "node:crypto";
import multipart from "@fastify/multipart";
import Fastify, { type FastifyInstance, type FastifyServerOptions, LogController } from "fastify";
import type { Sessions } from "../runtime/sessions.ts";
import type { Users } from "../runtime/users.ts";
import { limit } from "../core/limit.ts";
import { answerErrors, tooLarge } from "./errors.ts";
import { parseQuery, readBodies } from "./fields.ts";
import { describeRoutes } from "./openapi.ts";
import { protect } from "./protection.ts";
import { ShortAnswers } from "./short-answers.ts";

/** What the routes share, as `app.millrace`. */
export interface AppServices {
  readonly users: Users;
  readonly sessions: Sessions;
  readonly version: string;
  /** Largest body taken, in bytes. */
  readonly bodyBytes: number;
  /** Folder for what is received and does not fit in memory. */
  readonly scratch: string;
}

declare module "fastify" {
  interface FastifyInstance {
    readonly millrace: AppServices;
    /** Undefined where requests are limited: each has to be counted then. */
    readonly shortAnswers: ShortAnswers | undefined;
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
  const requestId = requestIds();
  const app = Fastify({
    ...server,
    ...((https === undefined ? { http: looks } : { https: { ...https, ...looks } }) as object),
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: options.trustProxy,
    bodyLimit: Math.min(services.bodyBytes, limit.parsedBodyBytes),
    requestTimeout: requestMs,
    keepAliveTimeout: 10_000,
    genReqId: requestId,
    // A logger of its own for each request costs more than most answers; lines name the request themselves.
    childLoggerFactory: (logger) => logger,
    forceCloseConnections: "idle",
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 300, querystringParser: parseQuery },
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false, allErrors: true } },
  });
  app.decorate("millrace", services);
  const shortAnswers = options.rateLimit === 0 ? new ShortAnswers(requestId) : undefined;
  app.decorate("shortAnswers", shortAnswers);
  shortAnswers?.addTo(app);
  // Answers are written as they are; schemas of answers describe, and drop nothing.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  answerErrors(app);
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-request-id", request.id);
    const announced = request.headers["content-length"];
    done(announced !== undefined && Number(announced) > services.bodyBytes ? tooLarge() : undefined);
  });
  readBodies(app);
  await app.register(multipart);
  await protect(app, options.rateLimit);
  await describeRoutes(app, services.version);
  return app;
}

/** Ids that no other process has given: a random beginning, and a number that counts. */
function requestIds(): () => string {
  const beginning = randomUUID().slice(0, 13);
  let count = 0;
  return () => {
    count += 1;
    return `${beginning}-${count.toString(36)}`;
  };
}
