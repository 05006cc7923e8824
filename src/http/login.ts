import type { FastifyInstance, FastifyRequest } from "fastify";
import { signedIn } from "./session.ts";
import type { Role, User, Users } from "../runtime/users.ts";
import { TooManyLogins } from "../runtime/users.ts";
import type { Fields } from "./fields.ts";
import { type ReceivedForm, receiveForm } from "./form.ts";
import { fieldProblem, missingField, Problem, problem } from "./problem.ts";

const wrong = { detail: "Incorrect username or password" };
const challenge = { "www-authenticate": 'Basic realm="millrace", charset="UTF-8"' };

/** Who calls, as far as the request says. */
interface Credentials {
  readonly name: string;
  readonly password: string;
  readonly scheme: "basic" | "form";
}

/**
 * The form of a request of a user who has the role at least. Who calls is checked first: by HTTP Basic before the body is
 * received, by fields of the form once they are there; then what the route's schema finds fault with.
 */
export async function receiveAs(app: FastifyInstance, request: FastifyRequest, role: Role): Promise<ReceivedForm> {
  const { users, scratch, bodyBytes } = app.millrace;
  // Who says in the head of the request who calls is checked before a body is received.
  const isEarly = request.headers.authorization !== undefined || (await signedIn(request)) !== undefined;
  if (isEarly) await login(users, request, role, undefined);
  const received = await receiveForm(request, scratch, bodyBytes);
  try {
    if (!isEarly) await login(users, request, role, received.posted);
    if (request.validationError !== undefined && request.validationError !== null) throw request.validationError;
    return received;
  } catch (error) {
    await received[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * The user that a request names by HTTP Basic, by the session it carries, or by the fields `username` and `password` of
 * its form, who must have the role at least. `fields` is undefined for routes without a form. Throws 401 (Basic) or 400 (form) for wrong
 * credentials, 422 for missing fields, 403 for a role that is too low.
 */
export async function login(
  users: Users,
  request: FastifyRequest,
  role: Role,
  fields: Fields | undefined,
): Promise<User> {
  const basic = basicOf(request);
  const session = basic === undefined ? await signedIn(request) : undefined;
  const credentials = basic ?? (session === undefined ? formOf(fields) : undefined);
  const user = credentials === undefined ? session?.user : await verified(users, credentials);
  if (user === undefined) {
    throw credentials?.scheme === "form" ? new Problem(400, wrong) : new Problem(401, wrong, challenge);
  }
  if (!users.allows(user, role)) throw forbidden(user, role);
  return user;
}

/**
 * The same for routes of the console: who is not signed in is told so without a challenge, or a browser would open a
 * window of its own.
 */
export async function requireRole(request: FastifyRequest, role: Role): Promise<User> {
  try {
    return await login(request.server.millrace.users, request, role, undefined);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
    const isBasic = request.headers.authorization !== undefined;
    if (isBasic) throw error;
    throw problem(401, "LOGIN_REFUSED", "You are not signed in", "Sign in, or send a user and password by HTTP Basic.");
  }
}

/** The user of that name and password; undefined when they are wrong. 503 when too many logins wait already. */
export async function verified(
  users: Users,
  { name, password }: Pick<Credentials, "name" | "password">,
): Promise<User | undefined> {
  try {
    return await users.verify(name, password);
  } catch (error) {
    if (!(error instanceof TooManyLogins)) throw error;
    throw problem(503, "SINK_BUSY", "Too many logins wait already", "Send the request again in a few seconds.", {
      "retry-after": "2",
    });
  }
}

function basicOf({ headers }: FastifyRequest): Credentials | undefined {
  const given = /^basic\s+([a-z0-9+/]+=*)\s*$/i.exec(headers.authorization ?? "")?.[1];
  if (headers.authorization === undefined) return undefined;
  const text = given === undefined ? "" : Buffer.from(given, "base64").toString("utf8");
  const at = text.indexOf(":");
  if (at < 0) throw new Problem(401, wrong, challenge);
  return { name: text.slice(0, at), password: text.slice(at + 1), scheme: "basic" };
}

function formOf(fields: Fields | undefined): Credentials {
  if (fields === undefined) throw new Problem(401, wrong, challenge);
  const name = fields.get("username");
  const password = fields.get("password");
  if (name !== undefined && password !== undefined) return { name, password, scheme: "form" };
  const missing = [...(name === undefined ? ["username"] : []), ...(password === undefined ? ["password"] : [])];
  throw fieldProblem(...missing.map((field) => missingField("body", field)));
}

function forbidden({ name }: User, role: Role): Problem {
  return problem(403, "FORBIDDEN", `The user ${name} may not do this`, `It takes the role ${role}.`);
}
