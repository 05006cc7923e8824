import { toMillraceError } from "../core/error.ts";
import type { FastifyInstance, FastifyServerOptions } from "fastify";

/** The settings of the log: one JSON object a line, without bodies, query strings, cookies or credentials. */
export function loggerOptions(write: (line: string) => void): NonNullable<FastifyServerOptions["logger"]> {
  return {
    level: "info",
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: ["req.headers", "password", "*.password", "authorization", "*.authorization"],
    serializers: { err: (error: unknown) => logged(error) },
    stream: { write },
  };
}

/** What the log gets of an error: its messages carry no secret, and of its causes only where they happened. */
function logged(error: unknown): { type: string; message: string; stack: string; [name: string]: unknown } {
  const { code, message, remedy, at, stack = "" } = toMillraceError(error);
  return { type: "error", code, message, remedy, at, stack };
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** Requests of this route that succeed are counted and get no line in the log. */
    readonly quiet?: boolean;
  }
}

/** A line for each request that changes something or fails; reading that succeeds is counted, and not worth a line. */
export function logRequests(app: FastifyInstance): void {
  app.addHook("onResponse", (request, reply, done) => {
    const { method, id, ip } = request;
    const { statusCode } = reply;
    const isRead = method === "GET" || method === "HEAD";
    const isQuiet = (isRead || request.routeOptions.config.quiet === true) && statusCode < 400;
    if (!isQuiet) {
      const path = request.url.split("?")[0]?.slice(0, 300);
      const line = { request: id, method, path, status: statusCode, ms: Math.round(reply.elapsedTime), from: ip };
      request.log[statusCode >= 500 ? "error" : "info"](line, "request");
    }
    done();
  });
}
