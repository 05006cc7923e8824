import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance, RouteOptions } from "fastify";
import { Problem } from "./problem.ts";

/** Routes that machines ask all the time, and the files of pages. */
const unlimited = /^\/(healthz|readyz|metrics|docs|openapi\.json|console)(\/|$)/;

/** Security headers, and a limit of requests per second, route and client address; 0 for none. */
export async function protect(app: FastifyInstance, perSecond: number): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", "data:"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        scriptSrc: ["'self'"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    // Browsers ignore it over plain HTTP; over TLS it is what one wants.
    hsts: { maxAge: 15_552_000 },
  });
  if (perSecond === 0) return;
  app.addHook("onRoute", (route: RouteOptions) => limitRoute(route, perSecond));
  await app.register(rateLimit, {
    global: false,
    enableDraftSpec: true,
    errorResponseBuilder: (_, { max }) => new Problem(429, tooMany(max)),
  });
}

function limitRoute(route: RouteOptions, perSecond: number): void {
  if (unlimited.test(route.url)) return;
  route.config = { rateLimit: { max: perSecond, timeWindow: 1_000 }, ...route.config };
}

const tooMany = (max: number): object => ({ error: `Rate limit exceeded: ${max} per 1 second` });
