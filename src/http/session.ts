import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { limit } from "../core/limit.ts";
import type { SignedIn } from "../runtime/sessions.ts";
import { problem, type Problem } from "./problem.ts";

const cookieName = "millrace_session";
/** No page of another site can send a header of its own making. */
const ownHeader = "x-millrace";

declare module "fastify" {
  interface FastifyRequest {
    /** Looked for once a request. */
    signedIn: Promise<SignedIn | undefined> | undefined;
  }
}

export function addSessions(app: FastifyInstance): void {
  app.decorateRequest("signedIn", undefined);
}

/**
 * Who has signed in, by the cookie of the request. A cookie comes along whoever made the browser ask: so what changes
 * something counts with the header of our own pages alone. Throws 403 without it.
 */
export function signedIn(request: FastifyRequest): Promise<SignedIn | undefined> {
  const token = tokenOf(request);
  if (token === undefined) return Promise.resolve(undefined);
  requireOwnHeader(request);
  return (request.signedIn ??= request.server.millrace.sessions.find(token));
}

/** Throws 403 for a request that changes something and was not made by a page of ours, or a program. */
export function requireOwnHeader({ method, headers }: FastifyRequest): void {
  if (method === "GET" || method === "HEAD" || headers[ownHeader] !== undefined) return;
  throw foreign();
}

function foreign(): Problem {
  const remedy = `Send the header ${ownHeader}: console, or use HTTP Basic without the cookie.`;
  return problem(403, "FORBIDDEN", "A request with the cookie of a session lacks the header of the console", remedy);
}

export function tokenOf({ headers }: FastifyRequest): string | undefined {
  for (const pair of (headers.cookie ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at > 0 && pair.slice(0, at).trim() === cookieName) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/** Sets the cookie of a session, or with an empty token takes it away. */
export function setCookie(request: FastifyRequest, reply: FastifyReply, token: string): void {
  const seconds = token === "" ? 0 : Math.floor(limit.sessionMs / 1_000);
  const secure = request.protocol === "https" ? "; Secure" : "";
  reply.header("set-cookie", `${cookieName}=${token}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`);
}
