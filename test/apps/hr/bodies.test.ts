import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { hiredFields, hiredLine, hiredLines, idRanges } from "./hired.ts";
import { boundary, multipart, type Part } from "./multipart.ts";
import { serving } from "./places.ts";
import { RawClient } from "./raw-client.ts";
import { admin, basic, fieldsOf, filePart, type HrService, type Upload } from "./service.ts";

const hr = serving(() => ({}));
const small = serving(() => ({ settings: () => ({ "http.bodyBytes": "1KB" }) }));
const take = idRanges();

const MiB = 2 ** 20;
/** What may be on its way in the buffers of both sides before the server's answer is seen. */
const aheadBytesMax = 64 * MiB;

function hired(content: string | Uint8Array): Upload {
  return { name: "hired_employees.csv", content };
}

function partsOf(upload: Upload): Part[] {
  return [...fieldsOf(admin), filePart(upload)];
}

function headOf(service: HrService, ...lines: readonly string[]): string {
  const type = `Content-Type: multipart/form-data; boundary=${boundary}`;
  return ["POST /upload HTTP/1.1", `Host: ${new URL(service.url).host}`, type, ...lines, "", ""].join("\r\n");
}

/** Sends the chunk again and again until there is an answer, or nobody takes it. Answers how much was sent. */
async function flood(client: RawClient, chunk: Buffer, bytesMax: number): Promise<number> {
  let sent = 0;
  const answered = client.until("\r\n\r\n").then(
    () => false,
    () => false,
  );
  while (!client.hasAnswer && sent < bytesMax && (await Promise.race([client.send(chunk), answered]))) {
    sent += chunk.length;
  }
  return sent;
}

async function idsThere(service: HrService, first: number, count: number): Promise<number> {
  return service.count("hired_employees", `id >= ${first} and id < ${first + count}`);
}

describe("a body over the limit", () => {
  const start = multipart(partsOf(hired(""))).bytes.subarray(0, 300);

  it("that is announced is refused at once: 2 GB with a limit of 1 KB", async () => {
    using client = await RawClient.to(small().url);
    await client.send(headOf(small(), `Content-Length: ${2 ** 31}`));
    await client.send(start);
    const { status, head, text } = await client.reply();
    expect(status).toBe(413);
    expect(head).toMatch(/^content-type: application\/json/im);
    expect(JSON.parse(text)).toMatchObject({ error: expect.stringMatching(/\w/) });
  });

  it("that is streamed is refused early: 2 GB with a limit of 1 KB", async () => {
    using client = await RawClient.to(small().url);
    await client.send(headOf(small(), "Transfer-Encoding: chunked"));
    await client.send(`${start.length.toString(16)}\r\n${start.toString("latin1")}\r\n`);
    const chunk = Buffer.concat([Buffer.from("10000\r\n"), Buffer.alloc(65_536, "1"), Buffer.from("\r\n")]);
    expect(await flood(client, chunk, 2 ** 31)).toBeLessThan(aheadBytesMax);
    expect((await client.reply()).status).toBe(413);
  });

  it("is refused by every route that takes one", async () => {
    for (const path of ["/upload", "/backup?table=jobs", "/restore?table=jobs"]) {
      using client = await RawClient.to(small().url);
      const head = headOf(small(), `Content-Length: ${2 ** 31}`, `Authorization: ${basic(admin)}`);
      await client.send(head.replace("/upload", path));
      expect((await client.reply()).status).toBe(413);
    }
  });

  it("leaves the service as it was: a body below the limit is taken", async () => {
    expect(await small().uploaded(hired(`${hiredLine(1)}\n`))).toMatchObject({ nrows_inserted: 1 });
    const { status } = await small().upload(hired(hiredLines(2, 100)));
    expect(status).toBe(413);
    expect(await small().count("hired_employees")).toBe(1);
  });
});

describe("a body that is cut off", () => {
  const whole = (first: number) => multipart(partsOf(hired(hiredLines(first, 500)))).bytes;

  it.each([
    { title: "by a client that vanishes", leave: (client: RawClient) => client[Symbol.dispose]() },
    { title: "by a client that says no more", leave: (client: RawClient) => client.finish() },
  ])("$title loads nothing, and the next client is served", async ({ leave }) => {
    const first = take(500);
    using client = await RawClient.to(hr().url);
    const bytes = whole(first);
    await client.send(headOf(hr(), `Content-Length: ${bytes.length}`));
    await client.send(bytes.subarray(0, bytes.length / 2));
    leave(client);
    await client.closed();
    expect(await hr().uploaded(hired(hiredLines(take(1), 1)))).toMatchObject({ nrows_inserted: 1 });
    expect(await idsThere(hr(), first, 500)).toBe(0);
  });

  it("and says that it is whole is refused, and loads nothing", async () => {
    const first = take(500);
    const bytes = whole(first);
    const body = bytes.subarray(0, bytes.length / 2);
    const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
    const { status } = await hr().request("/upload", { method: "POST", body, headers });
    expect([400, 422]).toContain(status);
    expect(await idsThere(hr(), first, 500)).toBe(0);
  });

  it("in the middle of a chunk loads nothing", async () => {
    const first = take(500);
    using client = await RawClient.to(hr().url);
    await client.send(headOf(hr(), "Transfer-Encoding: chunked"));
    await client.send(`${whole(first).length.toString(16)}\r\n`);
    await client.send(whole(first).subarray(0, 4_000));
    client.finish();
    await client.closed();
    expect(await idsThere(hr(), first, 500)).toBe(0);
  });
});

describe("a slow client", () => {
  it("holds nobody up, and is served at last", async () => {
    using client = await RawClient.to(hr().url);
    const { bytes } = multipart(partsOf(hired(hiredLines(take(10), 10))));
    await client.send(headOf(hr(), `Content-Length: ${bytes.length}`));
    for (let at = 0; at < bytes.length; at += 64) {
      await client.send(bytes.subarray(at, at + 64));
      expect((await hr().request("/insights?table=HIRES_DEPARTMENT_JOB", { withinMs: 5_000 })).status).toBe(200);
    }
    const { status, text } = await client.reply();
    expect({ status, body: JSON.parse(text) as unknown }).toMatchObject({ status: 200, body: { nrows_inserted: 10 } });
  });

  it("that only opens connections keeps nobody out", async () => {
    const idle = await Promise.all(Array.from({ length: 200 }, () => RawClient.to(hr().url)));
    await Promise.all(idle.map((client) => client.send("POST /upload HTTP/1.1\r\nHost: x\r\n")));
    expect(await hr().uploaded(hired(hiredLines(take(1), 1)))).toMatchObject({ nrows_inserted: 1 });
    for (const client of idle) client[Symbol.dispose]();
  });

  it("may ask first whether its body is wanted, as curl does", async () => {
    using client = await RawClient.to(hr().url);
    const { bytes } = multipart(partsOf(hired(hiredLines(take(3), 3))));
    await client.send(headOf(hr(), `Content-Length: ${bytes.length}`, "Expect: 100-continue"));
    expect((await client.reply()).status).toBe(100);
    await client.send(bytes);
    expect((await client.reply()).status).toBe(200);
  });
});

describe("a form", () => {
  const missing = (file: unknown) => ({ detail: [{ loc: ["body", "file"], msg: file, type: file }] });
  const text = expect.stringMatching(/\w/);

  it.each([
    { title: "without a file", extra: [] },
    { title: "whose file is plain text", extra: [{ name: "file", value: hiredLine(1) }] },
    { title: "whose file has another field name", extra: [{ ...filePart(hired("1,a\n")), name: "datei" }] },
    { title: "with two files", extra: [filePart(hired(hiredLines(7, 1))), filePart(hired(hiredLines(8, 1)))] },
  ] as { title: string; extra: Part[] }[])("$title is refused: 422", async ({ extra }) => {
    const { status, body } = await hr().send("/upload", [...fieldsOf(admin), ...extra]);
    expect({ status, body }).toEqual({ status: 422, body: missing(text) });
  });

  it("with an empty file has no lines", async () => {
    const { status, body } = await hr().upload(hired(""));
    expect({ status, body }).toEqual({
      status: 405,
      body: { error: "The number of lines should be between 1 and 1000" },
    });
  });

  it("may hold fields that nobody asked for", async () => {
    const more = { name: "comment", value: "the November file" };
    const { status } = await hr().send("/upload", [more, ...partsOf(hired(hiredLines(take(1), 1))), more]);
    expect(status).toBe(200);
  });

  it.each([
    { title: "ten thousand fields", extra: Array.from({ length: 10_000 }, (_, n) => ({ name: `f${n}`, value: "x" })) },
    { title: "a field of 5 MB", extra: [{ name: "comment", value: "x".repeat(5 * MiB) }] },
    { title: "a field name of 100 KB", extra: [{ name: "x".repeat(100_000), value: "x" }] },
    { title: "a field called __proto__", extra: [{ name: "__proto__", value: "x" }] },
  ])("with $title is answered", async ({ extra }) => {
    const { status } = await hr().send("/upload", [...fieldsOf(admin), ...extra, filePart(hired(hiredLines(1, 1)))]);
    expect([200, 400, 413, 422]).toContain(status);
  });

  it.each([
    { title: "another boundary", type: "multipart/form-data; boundary=other" },
    { title: "no boundary", type: "multipart/form-data" },
    { title: "an empty boundary", type: "multipart/form-data; boundary=" },
    { title: "multipart/mixed", type: `multipart/mixed; boundary=${boundary}` },
    { title: "JSON", type: "application/json" },
    { title: "XML", type: "application/xml" },
    { title: "CSV", type: "text/csv" },
    { title: "an urlencoded form", type: "application/x-www-form-urlencoded" },
    { title: "nothing known", type: "x/y; z" },
  ])("that says it is $title is refused, with Basic and without", async ({ type }) => {
    const first = take(1);
    for (const authorization of ["", basic(admin)]) {
      const { status } = await hr().request("/upload", {
        method: "POST",
        body: multipart(partsOf(hired(hiredLines(first, 1)))).bytes,
        headers: { "content-type": type, ...(authorization === "" ? {} : { authorization }) },
      });
      expect([400, 401, 415, 422]).toContain(status);
    }
    expect(await idsThere(hr(), first, 1)).toBe(0);
  });

  it.each([
    { title: "no body", body: null },
    { title: "an empty body", body: "" },
    { title: "bytes without meaning", body: Buffer.alloc(5_000, 0xa7) },
  ])("of $title is refused", async ({ body }) => {
    const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
    const { status } = await hr().request("/upload", { method: "POST", body, headers, who: admin });
    expect([400, 415, 422]).toContain(status);
  });
});

describe("a file", () => {
  it("whose content is compressed a thousandfold is answered soon, and loads no more than it may", async () => {
    const content = gzipSync(Buffer.alloc(64 * MiB, `${hiredLine(1)}\n`));
    const { status, body } = await hr().upload(hired(content), { withinMs: 10_000 });
    expect([200, 405]).toContain(status);
    if (status === 200) expect(body).toMatchObject({ nrows_inserted: 0 });
  });

  it("may have a record of a megabyte", async () => {
    const id = take(1);
    const name = "x".repeat(MiB);
    expect(await hr().uploaded(hired(`${hiredLine(id, { name })}\n`))).toMatchObject({ nrows_inserted: 1 });
    expect(await hr().count("hired_employees", `id = ${id} and length(name) = ${MiB}`)).toBe(1);
  });

  it("gives long values back whole when they fail", async () => {
    const [id, name] = [take(1), "y".repeat(60_000)];
    const answer = await hr().uploaded(hired(`${hiredLine(id, { name, job_id: "x" })}\n`));
    const [failed] = answer.rows_failed ?? [];
    expect(failed?.["name"]?.length).toBe(name.length);
    expect({ ...failed, name: "" }).toEqual({ ...hiredFields(id), name: "", job_id: "x" });
  });
});

describe("what is no HTTP", () => {
  it.each(["GARBAGE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", `GET / HTTP/1.1\r\nX: ${"y".repeat(100_000)}\r\n\r\n`])(
    "is refused without a word about the inside: %#",
    async (text) => {
      using client = await RawClient.to(hr().url);
      await client.send(text);
      const reply = await client.reply();
      expect(reply.status).toBeGreaterThanOrEqual(400);
      expect(reply.status).toBeLessThan(500);
      expect(reply.text).not.toMatch(/\n\s+at |node_modules/);
      expect(JSON.parse(reply.text)).toMatchObject({ error: expect.stringMatching(/\w/) });
      expect((await hr().request("/")).status).toBe(200);
    },
  );

  it("nor are two lengths for one body", async () => {
    using client = await RawClient.to(hr().url);
    await client.send(headOf(hr(), "Content-Length: 5", "Transfer-Encoding: chunked"));
    await client.send("0\r\n\r\nGET /insights HTTP/1.1\r\n\r\n");
    expect((await client.reply()).status).toBe(400);
  });
});

describe("the service", () => {
  it("has lost nothing over all of that", async () => {
    const id = take(1);
    expect(await hr().uploaded(hired(`${hiredLine(id)}\n`))).toMatchObject({ nrows_inserted: 1 });
    const [row] = await hr().query(`select name from hired_employees where id = ${id}`);
    expect(row).toEqual({ name: hiredFields(id).name });
  });
});
