import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorAnswers, login, receiveForm, setting } from "../../src/index.ts";
import { application } from "../../src/http/application.ts";
import { MillraceError } from "../../src/core/error.ts";
import { basic, password, ServedScene } from "./scene.ts";

/** Routes that do what routes can do. */
const trial = application({
  name: "trial",
  about: "for tests",
  settings: { to: setting.place("duckdb:{data}/trial.duckdb", "nowhere") },
  contracts: [],
  open: async () => ({
    routes(app) {
      const schema = { tags: ["trial"], response: errorAnswers(403) };
      app.get("/fault", { schema }, () => Promise.reject(new Error("password=hunter2 at /etc/passwd")));
      app.get("/away", { schema }, () =>
        Promise.reject(
          new MillraceError("SINK_UNREACHABLE", "db.example:5432 is away", { remedy: "Wait for db.example." }),
        ),
      );
      app.get("/role", { schema }, (request) => login(app.millrace.users, request, "writer", undefined));
      app.post("/form", { schema }, async (request) => {
        await using form = await receiveForm(request, app.millrace.scratch, app.millrace.bodyBytes);
        return {
          fields: Object.fromEntries(form.fields),
          files: form.files.map(({ name, lines }) => ({ name, lines })),
        };
      });
    },
  }),
});

let scene: ServedScene;

beforeAll(async () => {
  scene = await ServedScene.open([trial], "http.bodyBytes=200KB", "http.trustProxy=true");
  await scene.addUser("rea", "reader");
  await scene.addUser("wri", "writer");
});

afterAll(() => scene[Symbol.asyncDispose]());

/** Each test comes from an address of its own: the limit of requests is one for each. */
let clients = 0;
const fresh = (): Record<string, string> => ({ "x-forwarded-for": `10.0.0.${(clients += 1)}` });

describe("the server", () => {
  it("answers that it lives and is ready", async () => {
    expect(await (await scene.get("/healthz")).json()).toEqual({ status: "ok" });
    const ready = await scene.get("/readyz");
    expect([ready.status, await ready.json()]).toEqual([200, { status: "ready", places: [], pipelines: [] }]);
  });

  it("answers what is unknown, and which methods an address takes", async () => {
    const unknown = await scene.get("/nothing?x=%00");
    expect([unknown.status, await unknown.json()]).toEqual([404, expect.objectContaining({ code: "ROUTE_UNKNOWN" })]);
    const method = await scene.post("/role");
    expect([method.status, method.headers.get("allow")]).toEqual([405, "GET"]);
    expect(await method.json()).toMatchObject({ code: "ROUTE_UNKNOWN" });
  });

  it("tells callers nothing of a fault but the request, and the log all of it", async () => {
    const answer = await scene.get("/fault", fresh());
    const text = await answer.text();
    const id = answer.headers.get("x-request-id") ?? "";
    expect(answer.status).toBe(500);
    expect(JSON.parse(text)).toEqual({
      error: "A fault in Millrace",
      code: "INTERNAL",
      remedy: `The server's log has more under the request ${id}.`,
      request: id,
    });
    expect(text).not.toMatch(/hunter2|passwd|\bat\b .*:\d/);
    expect(scene.log.filter((line) => line.includes(id)).length).toBeGreaterThan(0);
  });

  it("says when to come again where a place is away, and not which", async () => {
    const answer = await scene.get("/away", fresh());
    const text = await answer.text();
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(JSON.parse(text)).toMatchObject({ code: "SINK_UNREACHABLE" });
    expect(text).not.toContain("db.example");
  });

  it("sends headers that protect, and a request's id", async () => {
    const { headers } = await scene.get("/healthz");
    expect(headers.get("content-security-policy")).toContain("default-src 'self'");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-request-id")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-z]+$/);
    expect(headers.get("x-powered-by")).toBeNull();
  });

  it("limits requests of an address to a route in a second", async () => {
    const from = fresh();
    const answers = await Promise.all(Array.from({ length: 30 }, () => scene.get("/role", from)));
    const limited = answers.filter(({ status }) => status === 429);
    const [one] = limited;
    expect(limited.length).toBeGreaterThanOrEqual(10);
    expect(await one?.json()).toEqual({ error: "Rate limit exceeded: 10 per 1 second" });
    expect(one?.headers.get("retry-after")).toBe("1");
    expect(one?.headers.get("ratelimit-limit")).toBe("10");
    // Another route and another address are not limited by that, nor is what machines ask.
    expect((await scene.get("/away", from)).status).toBe(503);
    expect((await scene.get("/role", fresh())).status).toBe(401);
    const health = await Promise.all(Array.from({ length: 30 }, () => scene.get("/healthz", from)));
    expect(new Set(health.map(({ status }) => status))).toEqual(new Set([200]));
  });

  it("counts requests and serves the counts", async () => {
    await scene.get("/healthz");
    const answer = await scene.get("/metrics");
    const text = await answer.text();
    expect(answer.headers.get("content-type")).toContain("text/plain");
    expect(text).toMatch(/millrace_http_request_duration_seconds_count\{[^}]*route="\/healthz"[^}]*\} \d+/);
    expect(text).not.toContain('route="/nothing"');
  });

  it("describes its routes, and shows them", async () => {
    const document = (await (await scene.get("/openapi.json")).json()) as Record<string, unknown>;
    expect(document).toMatchObject({ openapi: "3.1.0", paths: { "/role": { get: expect.anything() } } });
    const page = await scene.get("/docs");
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  });

  it("gives programs JSON and browsers a page", async () => {
    const program = await scene.get("/");
    expect(await program.json()).toMatchObject({ message: expect.any(String) });
    const browser = await scene.get("/", { accept: "text/html,application/xhtml+xml" });
    expect(browser.headers.get("content-type")).toContain("text/html");
    expect(await browser.text()).toContain("<title>Millrace</title>");
    expect((await scene.get("/console/console.js")).status).toBe(200);
    expect((await scene.get("/console/..%2fpackage.json")).status).toBe(404);
  });
});

describe("logins", () => {
  it("are asked for, checked, and held to the role", async () => {
    const none = await scene.get("/role", fresh());
    expect([none.status, none.headers.get("www-authenticate")]).toEqual([401, expect.stringMatching(/^Basic /)]);
    const wrong = await scene.get("/role", { ...fresh(), ...basic("wri", "another password") });
    expect([wrong.status, await wrong.json()]).toEqual([401, { detail: "Incorrect username or password" }]);
    const low = await scene.get("/role", { ...fresh(), ...basic("rea") });
    expect([low.status, await low.json()]).toEqual([403, expect.objectContaining({ code: "FORBIDDEN" })]);
    expect((await scene.get("/role", { ...fresh(), ...basic("wri") })).status).toBe(200);
    expect((await scene.get("/role", { ...fresh(), authorization: "Bearer x" })).status).toBe(401);
  });

  it("leave no password in the log", async () => {
    await scene.get(`/role?password=${encodeURIComponent(password)}`, { ...fresh(), ...basic("wri") });
    const said = scene.log.filter((line) => !line.includes("hunter2")).join("");
    expect(said).toContain('"path":"/role"');
    expect(said).not.toContain(password);
    expect(said).not.toMatch(/password=|authorization/i);
  });
});

describe("forms", () => {
  const csv = (text: string): Blob => new Blob([text], { type: "text/csv" });

  it("are received with fields before and behind the file", async () => {
    const body = new FormData();
    body.append("a", "1");
    body.append("file", csv("x\ny\n"), "x.csv");
    body.append("b", "2");
    const answer = await scene.post("/form?c=3", { body, headers: fresh() });
    expect(await answer.json()).toEqual({ fields: { a: "1", b: "2", c: "3" }, files: [{ name: "x.csv", lines: 2 }] });
  });

  it("are refused when they are too large, early", async () => {
    const body = new FormData();
    body.append("file", csv("x".repeat(300 * 1024)), "x.csv");
    const announced = await scene.post("/form", { body, headers: fresh() });
    expect([announced.status, await announced.json()]).toEqual([
      413,
      expect.objectContaining({ code: "REQUEST_TOO_LARGE" }),
    ]);
  });

  it("are refused when they are too large and do not say so before", async () => {
    const answer = await rawRequest(scene.server.url, (write) => {
      write("POST /form HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n");
      write("content-type: multipart/form-data; boundary=b\r\n\r\n");
      const part = '--b\r\ncontent-disposition: form-data; name="file"; filename="x.csv"\r\n\r\n';
      write(`${part.length.toString(16)}\r\n${part}\r\n`);
      const piece = "x".repeat(0x8000);
      for (let sent = 0; sent < 40; sent += 1) write(`8000\r\n${piece}\r\n`);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain("REQUEST_TOO_LARGE");
  });

  it.each([
    ["ends in the middle", '--b\r\ncontent-disposition: form-data; name="file"; filename="x.csv"\r\n\r\nx,y'],
    ["has another boundary", "--c\r\n\r\n--c--\r\n"],
  ])("are refused when the body %s", async (_, payload) => {
    const headers = { ...fresh(), "content-type": "multipart/form-data; boundary=b" };
    const answer = await scene.post("/form", { body: payload, headers });
    expect([answer.status, await answer.json()]).toEqual([400, expect.objectContaining({ code: "REQUEST_INVALID" })]);
  });

  it("are refused when there is no boundary", async () => {
    const headers = { ...fresh(), "content-type": "multipart/form-data" };
    const answer = await scene.post("/form", { body: "x", headers });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
  });
});

/** All that the server sends to what `talk` writes. */
function rawRequest(url: string, talk: (write: (text: string) => void) => void): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let said = "";
    const socket = connect({ host: hostname, port: Number(port) }, () => talk((text) => socket.write(text)));
    socket.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    socket.once("close", () => resolve(said)).once("error", (error) => (said === "" ? reject(error) : resolve(said)));
  });
}
