// Requests made up from the OpenAPI document: whatever is asked, the server answers, with what is the caller's fault.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applications } from "../../apps/index.ts";
import { basic, ServedScene } from "./scene.ts";

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly { readonly name: string; readonly schema: Readonly<Record<string, unknown>> }[];
}

let scene: ServedScene;
let operations: readonly Operation[];

beforeAll(async () => {
  scene = await ServedScene.open(applications, "http.rateLimit=0", "http.bodyBytes=1MB");
  await scene.addUser("ada", "admin");
  const { paths } = (await (await scene.get("/openapi.json")).json()) as {
    paths: Record<string, Record<string, Partial<Operation>>>;
  };
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      // An answer without end has a test of its own.
      .filter(([, operation]) => !JSON.stringify(operation).includes("text/event-stream"))
      .map(([method, { parameters = [] }]) => ({ method: method.toUpperCase(), path, parameters })),
  );
}, 60_000);

afterAll(() => scene[Symbol.asyncDispose]());

const hostile = fc.constantFrom(
  ...[
    "'; drop table jobs; --",
    '" or 1=1',
    "../../etc/passwd",
    "%00",
    "\u0000",
    "\uD800",
    "${7*7}",
    "{{x}}",
    "<script>",
  ],
  ...[
    "-1",
    "0",
    "1e309",
    "NaN",
    "9".repeat(400),
    "true",
    "null",
    "[]",
    "{}",
    "hired_employees",
    "jobs",
    "DEPARTMENTS_HIRED_ABOVE_MEAN",
  ],
);
const value = fc.oneof(
  { arbitrary: hostile, weight: 3 },
  fc.string({ maxLength: 50, unit: "binary" }),
  fc.integer().map(String),
);

const csvLike = fc.oneof(
  value,
  fc
    .array(
      fc.array(value, { maxLength: 6 }).map((fields) => fields.join(",")),
      { maxLength: 5 },
    )
    .map((lines) => lines.join("\n")),
);

const fileName = fc.oneof(
  fc.constantFrom("jobs.csv", "departments_1.csv", "hired_employees.csv", "../../jobs.csv", "jobs/../../x.csv"),
  fc.string({ maxLength: 30 }),
);

const body = fc.oneof(
  fc.constant({ kind: "none" as const }),
  fc.record({
    kind: fc.constant("form" as const),
    fields: fc.array(fc.tuple(fc.constantFrom("username", "password", "table", "version", "file", "x"), value), {
      maxLength: 5,
    }),
    file: fc.option(fc.tuple(fileName, csvLike)),
  }),
  fc.record({
    kind: fc.constant("text" as const),
    type: fc.constantFrom(
      "application/json",
      "application/x-www-form-urlencoded",
      "text/plain",
      "multipart/form-data; boundary=x",
      "multipart/form-data",
      "application/xml",
      "",
      "x/y;;=",
    ),
    text: fc.oneof(value, fc.json()),
  }),
);

type Body = typeof body extends fc.Arbitrary<infer Value> ? Value : never;

function initOf(made: Body): { body?: string | FormData; headers: Record<string, string> } {
  if (made.kind === "none") return { headers: {} };
  if (made.kind === "text") return { body: made.text, headers: made.type === "" ? {} : { "content-type": made.type } };
  const form = new FormData();
  for (const [name, text] of made.fields) form.append(name, text);
  if (made.file !== null) form.append("file", new Blob([made.file[1]]), made.file[0]);
  return { body: form, headers: {} };
}

async function ask(operation: Operation, given: readonly string[], made: Body, known: boolean): Promise<Response> {
  const url = new URL(operation.path, scene.server.url);
  operation.parameters.forEach(({ name }, index) => {
    const text = given[index];
    if (text !== undefined) url.searchParams.append(name, text);
  });
  const { headers, body: content } = initOf(made);
  const login = known ? basic("ada") : {};
  const hasBody = operation.method !== "GET" && content !== undefined;
  return fetch(url, {
    method: operation.method,
    headers: { ...headers, ...login },
    signal: AbortSignal.timeout(10_000),
    ...(hasBody ? { body: content } : {}),
  });
}

describe("whatever is asked", () => {
  it("is answered, and no answer is the server's fault", async () => {
    const request = fc.tuple(fc.nat(), fc.array(value, { maxLength: 4 }), body, fc.boolean());
    await fc.assert(
      fc.asyncProperty(request, async ([which, given, made, known]) => {
        const operation = operations[which % operations.length] as Operation;
        const answer = await ask(operation, given, made, known);
        const text = await answer.text();
        expect(answer.status, `${operation.method} ${operation.path}: ${text}`).toBeLessThan(500);
        expect(text).not.toMatch(/node_modules|\bat .*\.[jt]s:\d+/);
        if (answer.status >= 400 && answer.headers.get("content-type")?.includes("json") === true) JSON.parse(text);
      }),
      { numRuns: Number(process.env["MILLRACE_FUZZ_RUNS"] ?? 400) },
    );
  }, 120_000);

  it("leaves the tables and the server as they were", async () => {
    expect(operations.length).toBeGreaterThan(8);
    expect((await scene.get("/readyz")).status).toBe(200);
  });
});
