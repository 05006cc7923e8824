import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { schemaRegistry } from "../../src/adapters/registry/index.ts";
import { limit } from "../../src/core/limit.ts";
import type { SchemaRegistry } from "../../src/ports/schemas.ts";
import { describeWith } from "../servers/not-run.ts";
import { startRegistry } from "../servers/registry.ts";
import type { RestartableServer } from "../servers/server.ts";
import { Front, type Reply, schemaReply, unknownReply } from "./registry/front.ts";

/** Its clock goes by the pauses alone. */
class Clock {
  readonly notices: string[] = [];
  nowMs = 0;
  /** Called with each pause. */
  onPause: () => void = () => undefined;

  open(url: string): SchemaRegistry {
    return schemaRegistry(url, {
      now: () => this.nowMs,
      pause: async (ms, signal) => {
        signal?.throwIfAborted();
        this.nowMs += ms;
        this.onPause();
        await new Promise((resolve) => setImmediate(resolve));
        signal?.throwIfAborted();
      },
      notice: (text) => void this.notices.push(text),
    });
  }
}

const never = new AbortController().signal;
const recordOf = (...fields: readonly object[]): string => JSON.stringify({ type: "record", name: "row", fields });
const away: Reply = { status: 503, body: { error_code: 50_003, message: "starting" } };

async function messageOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.catch((thrown: unknown) => thrown);
  const { code, message } = error as { code?: string; message?: string };
  return `${code}: ${message}`;
}

describeWith("registry", "a schema registry", () => {
  let server: RestartableServer;
  let client: SchemaRegistry;
  beforeAll(async () => {
    server = await startRegistry();
    client = new Clock().open(server.url);
  }, 120_000);
  afterAll(async () => {
    await client.close();
    await server.stop();
  });

  const call = (method: string, path: string, body: object): Promise<Response> =>
    fetch(`${server.url}${path}`, {
      method,
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });

  it("gives a schema one id and the schema of an id, and says which it does not know", async () => {
    const schema = recordOf({ name: "a", type: "int" });
    const id = await client.register("given-value", schema);
    expect(await client.register("given-value", schema)).toBe(id);
    const found = await client.schemas([id, 2_000_000_000], never);
    expect([...found.keys()]).toEqual([id]);
    expect(found.get(id)).toEqual({ kind: "AVRO", text: schema, references: [] });
  });

  it("refuses a schema that is not compatible, and one that is none, with its words", async () => {
    await client.register("strict-value", recordOf({ name: "a", type: "int" }));
    expect((await call("PUT", "/config/strict-value", { compatibility: "BACKWARD" })).status).toBe(200);
    const refused = await messageOf(client.register("strict-value", recordOf({ name: "a", type: "string" })));
    expect(refused).toMatch(/^SCHEMA_REFUSED: .* refuses the schema of strict-value: it is not compatible .*STRING/);
    expect(await messageOf(client.register("none-value", '{"type":"nothing"}'))).toMatch(/^SCHEMA_REFUSED/);
  });

  it("gives the schemas that one names, those that others need first", async () => {
    const point = JSON.stringify({ type: "record", name: "point", fields: [{ name: "x", type: "int" }] });
    const line = JSON.stringify({ type: "record", name: "line", fields: [{ name: "from", type: "point" }] });
    const picture = recordOf({ name: "edge", type: "line" });
    const register = async (subject: string, schema: string, ...names: readonly string[]): Promise<number> => {
      const references = names.map((name) => ({ name, subject: name, version: 1 }));
      const answer = await call("POST", `/subjects/${subject}/versions`, { schema, references });
      return ((await answer.json()) as { id: number }).id;
    };
    await register("point", point);
    await register("line", line, "point");
    const id = await register("picture-value", picture, "line");
    expect((await client.schemas([id], never)).get(id)?.references).toEqual([point, line]);
  });
});

describe("the client of a registry", () => {
  it("says who asks, and shows the password to nobody", async () => {
    await using front = await Front.open(() => ({ status: 401, body: { error_code: 401, message: "Unauthorized" } }));
    const registry = new Clock().open(front.url("ann:p%40ss@"));
    const said = await messageOf(registry.schemas([1], never));
    expect(said).toMatch(
      /^SINK_DENIED: The schema registry http:\/\/ann:\*\*\*@127.0.0.1:\d+ answers 401: Unauthorized$/,
    );
    expect(front.logins).toEqual([`Basic ${Buffer.from("ann:p@ss").toString("base64")}`]);
    expect(registry.shown).not.toContain("ss@");
    for (const url of ["ftp://ann:secret@host", "http://ann:secret@host/?a=b", "http://ann:%zz@host"]) {
      expect(() => schemaRegistry(url, {} as never)).toThrow(expect.not.stringContaining("secret") as string);
    }
  });

  it("waits for one that is away, says so once, and when it is back", async () => {
    let isAway = true;
    await using front = await Front.open(() => (isAway ? away : schemaReply));
    const clock = new Clock();
    clock.onPause = () => void (isAway = clock.nowMs < 3_000);
    const registry = clock.open(front.url());
    const found = await Promise.all([registry.schemas([1], never), registry.schemas([2], never)]);
    expect(found.map((one) => one.size)).toEqual([1, 1]);
    expect(clock.notices).toEqual([
      expect.stringMatching(/answers 503: starting; what needs its schemas waits/) as string,
      `The schema registry ${registry.shown} answers again`,
    ]);
  });

  it("gives one up that stays away, at last or when nobody waits any more", async () => {
    const front = await Front.open(() => schemaReply);
    const url = front.url();
    await front[Symbol.asyncDispose]();
    const clock = new Clock();
    const registry = clock.open(url);
    expect(await messageOf(registry.schemas([1], never))).toMatch(/^SINK_UNREACHABLE: .* does not answer/);
    expect(clock.nowMs).toBeGreaterThan(limit.registryPatienceMs);
    expect(await messageOf(registry.register("a", '"int"'))).toMatch(/^SINK_UNREACHABLE/);
    const leaving = new AbortController();
    clock.onPause = () => leaving.abort(new Error("left"));
    expect(await messageOf(registry.schemas([1], leaving.signal))).toContain("left");
    clock.onPause = () => undefined;
    const closed = clock.open(url);
    clock.onPause = () => void closed.close();
    expect(await messageOf(closed.schemas([1], never))).toContain("aborted");
  });

  it("asks for a schema once, however many want it at the same time", async () => {
    let answer: (reply: Reply) => void = () => undefined;
    const held = new Promise<Reply>((resolve) => void (answer = resolve));
    await using front = await Front.open(() => held);
    const registry = new Clock().open(front.url());
    const leaving = new AbortController();
    const left = messageOf(registry.schemas([5], leaving.signal));
    const wanted = Array.from({ length: 10 }, () => registry.schemas([5], never));
    leaving.abort(new Error("left"));
    expect(await left).toContain("left");
    answer(schemaReply);
    expect((await Promise.all(wanted)).every((found) => found.has(5))).toBe(true);
    expect(front.asked).toEqual(["GET /schemas/ids/5"]);
  });

  it("looks a second time for what it does not know, as registries of several nodes learn of it late", async () => {
    await using front = await Front.open(() => (front.asked.length < 3 ? unknownReply : schemaReply));
    const clock = new Clock();
    const found = await clock.open(front.url()).schemas([1, 2], never);
    expect([found.has(1), found.has(2)]).toEqual([true, true]);
    expect(clock.nowMs).toBe(limit.registrySecondLookMs);
  });

  it.each([
    ["a server that is none", { status: 404, body: "<html>" }, /^SINK_REFUSED: .*answers 404/],
    ["an answer that is none", { status: 200, body: "[]" }, /^SINK_REFUSED: .*answers 200/],
    ["an answer without end", { status: 200, body: "x".repeat(7 * limit.schemaChars) }, /^SINK_REFUSED: .*more than/],
  ])("tells %s from a registry", async (_, reply, expected) => {
    await using front = await Front.open(() => reply);
    expect(await messageOf(new Clock().open(front.url()).schemas([1], never))).toMatch(expected);
  });
});
