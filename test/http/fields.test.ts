import Fastify, { type FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fieldsOf, parseQuery, readBodies } from "../../src/http/fields.ts";

let app: FastifyInstance;

beforeAll(async () => {
  app = Fastify({ routerOptions: { querystringParser: parseQuery } });
  readBodies(app);
  app.post("/", async (request) => Object.fromEntries(fieldsOf(request)));
  await app.ready();
});

afterAll(() => app.close());

async function fieldsFor(url: string, body: string, type?: string): Promise<unknown> {
  const headers = type === undefined ? {} : { "content-type": type };
  const answer = await app.inject({ method: "POST", url, headers, payload: body });
  expect(answer.statusCode).toBe(200);
  return answer.json();
}

const form = "application/x-www-form-urlencoded";

describe("the fields of a request", () => {
  it.each([
    ["a query string", "/?a=1&b=2", "", undefined],
    ["a JSON object", "/", '{"a":"1","b":2}', "application/json"],
    ["a form", "/", "a=1&b=2", form],
    ["a body that starts with a question mark, sent as a form", "/", "?a=1&b=2", form],
    ["a body that starts with a question mark, without a type", "/", "?a=1&b=2", "application/octet-stream"],
    ["text", "/", "?a=1&b=2", "text/plain"],
  ])("are found in %s", async (_, url, body, type) => {
    expect(await fieldsFor(url, body, type)).toEqual({ a: "1", b: "2" });
  });

  it("are those of the query string before those of the body", async () => {
    expect(await fieldsFor("/?a=1", "a=2&b=3", form)).toEqual({ a: "1", b: "3" });
  });

  it("are the first of a name that is repeated, and none that is empty", async () => {
    expect(await fieldsFor("/?a=&a=1&a=2&b=", "", undefined)).toEqual({ a: "1" });
    expect(await fieldsFor("/?a=", "a=1", form)).toEqual({ a: "1" });
  });

  it("leave the prototype alone", async () => {
    expect(await fieldsFor("/?__proto__=1&constructor=2", "", undefined)).toEqual(
      Object.fromEntries([
        ["__proto__", "1"],
        ["constructor", "2"],
      ]),
    );
  });

  it("are none where the body is none of that", async () => {
    expect(await fieldsFor("/", "[1,2]", "application/json")).toEqual({});
    expect(await fieldsFor("/", "\u0000\u0001", "application/octet-stream")).toEqual({});
  });
});
