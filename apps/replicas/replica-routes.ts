import { Readable } from "node:stream";
import {
  errorAnswers,
  type FastifyInstance,
  type FastifyRequest,
  fieldProblem,
  missingField,
  receiveForm,
  type ReplicaEntry,
  type Replicas,
} from "../../src/index.ts";
import { requireApproval } from "./approval-routes.ts";
import type { Approvals } from "./approvals.ts";
import { namedRows } from "./named-rows.ts";
import { Parameters } from "./parameters.ts";

export interface ReplicaRouteParts {
  readonly approvals: Approvals;
  readonly replicas: Replicas;
}

const replica = { type: "string", description: "Name of the replica" } as const;

const json = (description: string, schema: object): object => ({
  description,
  content: { "application/json": { schema } },
});

/** `GET /getRegisteredReplics`, `POST /getTopNFromReplica`, `/getReplicaColumns`, `/clearRedisCache`. */
export function addReplicaRoutes(app: FastifyInstance, parts: ReplicaRouteParts): void {
  addList(app, parts);
  addTop(app, parts);
  addColumns(app, parts);
  addClear(app, parts);
}

function addList(app: FastifyInstance, { replicas }: ReplicaRouteParts): void {
  const list = { type: "string", description: "Names parted by a comma and a blank, the newest first; EMPTY for none" };
  const schema = {
    tags: ["replicas"],
    summary: "List the replicas that are registered",
    response: {
      200: json("Names", {
        type: "object",
        properties: { LIST_OF_REGISTERED_REPLICS: list },
        required: ["LIST_OF_REGISTERED_REPLICS"],
      }),
      ...errorAnswers(429, 503),
    },
  };
  app.get("/getRegisteredReplics", { schema }, async () => {
    const names = await replicas.names();
    return { LIST_OF_REGISTERED_REPLICS: names.length === 0 ? "EMPTY" : names.join(", ") };
  });
}

function addTop(app: FastifyInstance, { replicas }: ReplicaRouteParts): void {
  const form = {
    type: "object",
    properties: { replica, topn: { type: "integer", default: 10, description: "Rows; -1 for all" } },
    required: ["replica"],
  };
  const schema = {
    tags: ["replicas"],
    summary: "The first rows of a replica, in the order of the file",
    description: "By key the other columns. Of one content throughout, also when the replica is replaced meanwhile.",
    response: {
      200: json("Rows by key", { type: "object", additionalProperties: { type: "array", items: {} } }),
      ...errorAnswers(400, 422, 429, 503),
    },
  };
  app.post("/getTopNFromReplica", { schema, attachValidation: true, config: { form } }, async (request, reply) => {
    const parameters = new Parameters(request);
    const name = parameters.required("replica");
    const count = parameters.count("topn", 10);
    const known = (await replicas.names()).includes(name);
    const pieces = known ? replicas.entries(name, count < 0 ? undefined : count)[Symbol.asyncIterator]() : undefined;
    // What fails before the first row is an answer of its own.
    const first = await pieces?.next();
    const text = objectText(first?.done === false ? first.value : [], pieces);
    return reply.type("application/json").send(Readable.from(text, { objectMode: false, highWaterMark: 256 * 1024 }));
  });
}

/** Written by hand: an object of JavaScript would put keys that are numbers first, and hold all of them. */
async function* objectText(
  first: readonly ReplicaEntry[],
  rest: AsyncIterator<readonly ReplicaEntry[]> | undefined,
): AsyncGenerator<string> {
  const pairsOf = (piece: readonly ReplicaEntry[]): string =>
    piece.map(({ key, value }) => `${JSON.stringify(key)}:${value}`).join(",");
  try {
    yield `{${pairsOf(first)}`;
    for (let next = await rest?.next(); next?.done === false; next = await rest?.next())
      yield `,${pairsOf(next.value)}`;
    yield "}";
  } finally {
    await rest?.return?.();
  }
}

function addColumns(app: FastifyInstance, { replicas }: ReplicaRouteParts): void {
  const schema = {
    tags: ["replicas"],
    summary: "The columns of a replica, in the order of the file",
    response: {
      200: json("Names; none for a replica that is not there, or not loaded", {
        type: "array",
        items: { type: "string" },
      }),
      ...errorAnswers(400, 422, 429, 503),
    },
  };
  const form = { type: "object", properties: { replica }, required: ["replica"] };
  app.post("/getReplicaColumns", { schema, attachValidation: true, config: { form } }, async (request, reply) => {
    const name = new Parameters(request).required("replica");
    const known = (await replicas.names()).includes(name);
    const columns = known ? (await replicas.look(name))?.meta.get("COLUMNS") : undefined;
    return reply.type("application/json").send(columns ?? "[]");
  });
}

function addClear(app: FastifyInstance, { approvals, replicas }: ReplicaRouteParts): void {
  const form = {
    type: "object",
    properties: { replica, remove: { type: "boolean", default: false, description: "Nothing is removed when false" } },
    required: ["replica"],
  };
  const cleared = { type: "integer", description: "Rows that were named, and are removed" };
  const done = { type: "object", properties: { clear_cache: { type: "string" }, cleared }, required: ["clear_cache"] };
  const schema = {
    tags: ["replicas"],
    summary: "Remove the rows of a replica",
    description:
      'It stays registered. Needs approval. A form with a file of lines `["key","value as it was read"]` removes those rows alone that are still so, whatever `remove` says, and answers how many.',
    response: { 200: json("Done", done), ...errorAnswers(400, 403, 422, 429, 503) },
  };
  app.post("/clearRedisCache", { schema, attachValidation: true, config: { form } }, async (request) => {
    await requireApproval(approvals, request, { clear_cache: "blocked" });
    if (request.isMultipart()) return clearNamed(app, replicas, request);
    const parameters = new Parameters(request);
    const name = parameters.required("replica");
    const isMeant = parameters.flag("remove") && (await replicas.names()).includes(name);
    if (isMeant) await replicas.clear(name);
    return { clear_cache: "success" };
  });
}

/** Removes the rows that the file names, and no others. */
async function clearNamed(app: FastifyInstance, replicas: Replicas, request: FastifyRequest): Promise<object> {
  await using form = await receiveForm(request, app.millrace.scratch, app.millrace.bodyBytes);
  const name = form.fields.get("replica");
  const [file] = form.files;
  if (name === undefined || file === undefined) {
    throw fieldProblem(missingField("body", name === undefined ? "replica" : "file"));
  }
  const isThere = (await replicas.names()).includes(name);
  return { clear_cache: "success", cleared: isThere ? await replicas.clearEntries(name, namedRows(file)) : 0 };
}
