import type { FastifyInstance, FastifyRequest } from "fastify";
import type { SignedIn } from "../../runtime/sessions.ts";
import { login, verified } from "../login.ts";
import { errorAnswers } from "../openapi.ts";
import { Problem, problem } from "../problem.ts";
import { requireOwnHeader, setCookie, signedIn, tokenOf } from "../session.ts";
import { answers, nullable, text } from "./shape.ts";

const callerSchema = answers("Who calls", {
  user: {
    type: ["object", "null"],
    properties: { name: { type: "string" }, role: { type: "string", enum: ["reader", "writer", "admin"] } },
    required: ["name", "role"],
  },
  expiresAt: nullable("string"),
  hasUsers: { type: "boolean", description: "Without users nobody can sign in" },
  version: text,
});

const header = {
  type: "object",
  properties: { "x-millrace": { type: "string", description: "Any value; pages of other sites cannot send it" } },
} as const;

/** `/api/session`: who calls, signing in, signing out. */
export function addSessionRoutes(app: FastifyInstance): void {
  addLook(app);
  addSignIn(app);
  addSignOut(app);
}

function addLook(app: FastifyInstance): void {
  const schema = { tags: ["api"], summary: "Who calls", response: { 200: callerSchema, ...errorAnswers(429, 503) } };
  app.get("/api/session", { schema }, async (request, reply) => {
    reply.header("cache-control", "no-store");
    const session = await signedIn(request);
    if (session !== undefined) return callerOf(app, session);
    return callerOf(app, { user: await basicUser(request), expiresAtMs: undefined });
  });
}

/** Of HTTP Basic, where it is right; who calls without is nobody. */
async function basicUser(request: FastifyRequest): Promise<SignedIn["user"] | undefined> {
  if (request.headers.authorization === undefined) return undefined;
  try {
    return await login(request.server.millrace.users, request, "reader", undefined);
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return undefined;
    throw error;
  }
}

function addSignIn(app: FastifyInstance): void {
  const body = {
    type: "object",
    properties: { username: { type: "string", maxLength: 64 }, password: { type: "string", maxLength: 256 } },
    required: ["username", "password"],
  } as const;
  const schema = {
    tags: ["api"],
    summary: "Sign in: sets the cookie of a session",
    headers: header,
    body,
    response: { 200: callerSchema, ...errorAnswers(400, 401, 403, 422, 429, 503) },
  };
  app.post("/api/session", { schema }, async (request, reply) => {
    requireOwnHeader(request);
    const { users, sessions } = app.millrace;
    const { username, password } = request.body as { readonly username: string; readonly password: string };
    const user = await verified(users, { name: username, password });
    const begun = user === undefined ? undefined : await sessions.begin(user);
    if (begun === undefined)
      throw problem(
        401,
        "LOGIN_REFUSED",
        "The user or the password is wrong",
        "millrace user list shows who may call.",
      );
    // Whoever signs in anew leaves nothing behind that goes on.
    const before = tokenOf(request);
    if (before !== undefined) await sessions.end(before);
    setCookie(request, reply, begun.token);
    reply.header("cache-control", "no-store");
    return callerOf(app, begun.signedIn);
  });
}

function addSignOut(app: FastifyInstance): void {
  const schema = {
    tags: ["api"],
    summary: "Sign out: ends the session",
    headers: header,
    response: { 204: { description: "Signed out", type: "null" }, ...errorAnswers(403, 429, 503) },
  };
  app.delete("/api/session", { schema }, async (request, reply) => {
    requireOwnHeader(request);
    const token = tokenOf(request);
    if (token !== undefined) await app.millrace.sessions.end(token);
    setCookie(request, reply, "");
    return reply.code(204).send();
  });
}

interface Caller {
  readonly user: SignedIn["user"] | undefined;
  readonly expiresAtMs: number | undefined;
}

async function callerOf(app: FastifyInstance, { user, expiresAtMs }: Caller): Promise<object> {
  const { users, version } = app.millrace;
  return {
    user: user === undefined ? null : { name: user.name, role: user.role },
    expiresAt: expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString(),
    // Who has called by name is one.
    hasUsers: user !== undefined || (await users.hasAny()),
    version,
  };
}
