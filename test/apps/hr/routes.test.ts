import { describe, expect, it } from "vitest";
import { hiredLines } from "./hired.ts";
import { serving } from "./places.ts";
import type { Reply } from "./reply.ts";
import { admin, HrService } from "./service.ts";

const hr = serving(() => ({}));
const insight = "/insights?table=HIRES_DEPARTMENT_JOB";

describe("GET /", () => {
  it.each(["application/json", "*/*", ""])("greets an API client in JSON: Accept %j", async (accept) => {
    const { status, body } = await hr().request("/", { headers: { accept } });
    expect({ status, body }).toMatchObject({ status: 200, body: { message: expect.stringMatching(/\w/) } });
  });

  it("shows a browser a page", async () => {
    const accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    const { status, headers, text } = await hr().request("/", { headers: { accept } });
    expect({ status, type: headers.get("content-type") }).toEqual({
      ...{ status: 200, type: expect.stringMatching(/^text\/html/) },
    });
    expect(text).toMatch(/<html/i);
  });
});

describe("the description of the API", () => {
  it("is OpenAPI 3.1 and has every route", async () => {
    const { status, body } = await hr().request("/openapi.json");
    expect(status).toBe(200);
    const { openapi, paths } = body as { openapi: string; paths: Record<string, Record<string, unknown>> };
    expect(openapi).toMatch(/^3\.1\./);
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(routes).toEqual(
      expect.arrayContaining([
        ...["GET /", "POST /upload", "POST /backup", "GET /backups", "POST /restore", "GET /insights"],
      ]),
    );
  });

  it("has a page to try it out", async () => {
    const { status, headers } = await hr().request("/docs", { headers: { accept: "text/html" } });
    expect(status).toBe(200);
    expect(headers.get("content-type")).toMatch(/^text\/html/);
  });
});

describe("what is not there", () => {
  it.each(["/nothing", "/uploads", "/upload/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/.env", "/insights/x/y"])(
    "is 404 in JSON: %s",
    async (path) => {
      const { status, body } = await hr().request(path);
      expect({ status, body }).toMatchObject({ status: 404, body: { error: expect.stringMatching(/\w/) } });
    },
  );

  it.each([
    { method: "GET", path: "/upload" },
    { method: "DELETE", path: "/backups" },
    { method: "PUT", path: "/backup?table=jobs" },
    { method: "PATCH", path: insight },
  ])("is refused in JSON: $method $path", async ({ method, path }) => {
    expect([404, 405]).toContain((await hr().request(path, { method })).status);
  });

  it.each(["/%", "/insights?table=%", "/insights?%E0%A4%A", "/insights?table[]=x&table[a]=y", "/insights?__proto__=1"])(
    "is no error of the server: %s",
    async (path) => {
      expect((await hr().request(path)).status).toBeGreaterThanOrEqual(400);
    },
  );
});

describe("the rate limit", () => {
  const limited = serving(() => ({ settings: () => ({ "http.rateLimit": 10 }) }));
  const burst = (count: number, ask: (index: number) => Promise<Reply>) =>
    Promise.all(Array.from({ length: count }, (_, index) => ask(index)));

  it("lets ten a second through, and says so to the others", async () => {
    const replies = await burst(60, () => limited().request(insight));
    const served = replies.filter(({ status }) => status === 200);
    const refused = replies.filter(({ status }) => status === 429);
    expect(served.length + refused.length).toBe(60);
    expect(served.length).toBeGreaterThanOrEqual(10);
    expect(refused.length).toBeGreaterThanOrEqual(30);
    for (const { body, headers } of refused) {
      expect(body).toEqual({ error: "Rate limit exceeded: 10 per 1 second" });
      expect(headers.get("ratelimit-limit")).toMatch(/^10\b/);
      expect(headers.get("ratelimit-remaining")).toBe("0");
      expect(headers.get("ratelimit-reset")).toMatch(/^\d+$/);
      expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(Number(served[0]?.headers.get("ratelimit-remaining"))).toBeLessThan(10);
  });

  it("is over soon", async () => {
    await burst(20, () => limited().request(insight));
    await expect.poll(async () => (await limited().request(insight)).status, { timeout: 5_000 }).toBe(200);
  });

  it("counts each route by itself", async () => {
    await burst(20, () => limited().request(insight));
    expect((await limited().request("/backups", { who: admin })).status).toBe(200);
  });

  it("is not evaded by a header that names another address", async () => {
    const replies = await burst(40, (index) =>
      limited().request(insight, {
        headers: { "x-forwarded-for": `10.0.0.${index}`, forwarded: `for=10.0.1.${index}` },
      }),
    );
    expect(replies.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(15);
  });

  it("stops those who guess passwords", async () => {
    const who = { ...admin, password: "a guess" };
    const upload = { name: "jobs.csv", content: "1,Miller\n", who };
    const replies = await burst(40, () => limited().upload(upload));
    expect(replies.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(15);
    expect(replies.filter(({ status }) => status === 200)).toEqual([]);
  });
});

describe("settings", () => {
  const elsewhere = "duckdb:elsewhere.duckdb";

  it.each([
    { title: "the environment", options: { environment: { MILLRACE_HR_TO: elsewhere } } },
    {
      title: "millrace.config.ts",
      options: { files: { "millrace.config.ts": `export default { hr: { to: "${elsewhere}" } };\n` } },
    },
  ])("come from $title", async ({ options }) => {
    await using service = await HrService.open(options);
    await service.uploaded({ name: "hired_employees.csv", content: hiredLines(1, 3) });
    await service.stop();
    const { stdout } = await service.millrace(
      "query",
      elsewhere,
      "select count(*) as n from hired_employees",
      "--json",
    );
    expect(JSON.parse(stdout)).toEqual([{ n: 3 }]);
  });
});
