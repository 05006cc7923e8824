import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance, RouteOptions } from "fastify";
import { Problem, problem } from "./problem.ts";

/** Routes that machines ask all the time, and the files of pages. */
const unlimited = /^\/(healthz|readyz|metrics|docs|openapi\.json|console)(\/|$)/;

const policy = {
  "default-src": "'self'",
  "img-src": "'self' data:",
  "style-src": "'self' 'unsafe-inline'",
  "script-src": "'self'",
  "object-src": "'none'",
  "base-uri": "'none'",
  "form-action": "'self'",
  "frame-ancestors": "'none'",
};

const written = (directives: Readonly<Record<string, string>>): string =>
  Object.entries(directives)
    .map(([directive, value]) => `${directive} ${value}`)
    .join("; ");

/** Of pages of our own making, which bring styles and scripts as files alone. */
export const strictPolicy = written({ ...policy, "style-src": "'self'", "connect-src": "'self'" });

/**
 * What every answer says to browsers, made once: a library that sets them one by one for each request cost more than
 * the rest of a cached answer. The set is that of OWASP's Secure Headers Project, less what is deprecated.
 */
const securityHeaders = {
  "content-security-policy": written(policy),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  // Browsers ignore it over plain HTTP; over TLS it is what one wants.
  "strict-transport-security": "max-age=15552000",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

/** Security headers, and a limit of requests per second, route and client address; 0 for none. */
export async function protect(app: FastifyInstance, perSecond: number): Promise<void> {
  app.addHook("onRequest", (request, reply, done) => {
    reply.headers(securityHeaders);
    // A browser sends credentials that it remembers along with any site's form.
    const isForeign = request.headers["sec-fetch-site"] === "cross-site" && request.method !== "GET";
    done(isForeign ? crossSite() : undefined);
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

function crossSite(): Problem {
  return problem(403, "FORBIDDEN", "Another site may not ask for this", "Open the console, or send it from a program.");
}
