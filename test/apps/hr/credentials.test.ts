import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { backUp } from "./backups.ts";
import { hiredLines, idRanges } from "./hired.ts";
import { serving } from "./places.ts";
import type { Reply } from "./reply.ts";
import { admin, type Credentials, fieldsOf, filePart, type Upload } from "./service.ts";

const reader: Credentials = { username: "rita", password: "rita reads 1999 rows" };
const writer: Credentials = { username: "will", password: "will writes: påsswörd" };
const stranger: Credentials = { username: "mallory", password: "mallory guesses" };
const wrong: Credentials = { username: admin.username, password: "not her password" };

const incorrect = { detail: "Incorrect username or password" };

const hr = serving(() => ({}));
const take = idRanges();

beforeAll(async () => {
  await hr().addUser(reader, "reader");
  await hr().addUser(writer, "writer"); // While it runs, as the first one.
});

function file(): Upload {
  return { name: "hired_employees.csv", content: hiredLines(take(2), 2) };
}

const form = ({ username, password }: Credentials) => new URLSearchParams({ username, password });

function post(path: string, init: { who?: Credentials; body?: URLSearchParams } = {}): Promise<Reply> {
  return hr().request(path, { method: "POST", ...init });
}

/** Where the details of a 422 say that something is missing. */
function placesOf({ status, body }: Reply): unknown[] {
  expect(status).toBe(422);
  const { detail } = body as { detail: { loc: unknown; msg: unknown; type: unknown }[] };
  for (const { msg, type } of detail) {
    expect(msg).toEqual(expect.stringMatching(/\w/));
    expect(type).toEqual(expect.stringMatching(/\w/));
  }
  return detail.map(({ loc }) => loc);
}

describe("credentials", () => {
  it("may stand before the file and after it", async () => {
    for (const parts of [
      [...fieldsOf(admin), filePart(file())],
      [filePart(file()), ...fieldsOf(admin)],
      [...fieldsOf(admin).slice(0, 1), filePart(file()), ...fieldsOf(admin).slice(1)],
    ]) {
      const { status, body } = await hr().send("/upload", parts);
      expect({ status, body }).toMatchObject({ status: 200, body: { nrows_inserted: 2 } });
    }
  });

  it("may come by Basic", async () => {
    for (const who of [admin, writer]) {
      const { status, body } = await hr().send("/upload", [filePart(file())], { who });
      expect({ status, body }).toMatchObject({ status: 200, body: { nrows_inserted: 2 } });
    }
  });

  it("may come in a form without a file", async () => {
    const { status, body } = await post("/backup?table=jobs", { body: form(admin) });
    expect({ status, body }).toMatchObject({ status: 200, body: { result: "Backup process for jobs started." } });
    const sent = await hr().send("/backup?table=jobs", fieldsOf(writer));
    expect(sent.status).toBe(200);
  });

  it("are not needed for insights", async () => {
    expect((await hr().request("/insights?table=HIRES_DEPARTMENT_JOB")).status).toBe(200);
  });
});

describe("wrong credentials", () => {
  it.each([
    { title: "a wrong password", who: wrong },
    { title: "an unknown user", who: stranger },
    { title: "a password in other case", who: { ...admin, password: admin.password.toUpperCase() } },
    { title: "a user in other case", who: { ...admin, username: "ADA" } },
    { title: "the start of the password", who: { ...admin, password: admin.password.slice(0, -1) } },
  ])("are refused: $title", async ({ who }) => {
    const inForm = await hr().upload({ ...file(), who });
    expect({ status: inForm.status, body: inForm.body }).toEqual({ status: 400, body: incorrect });
    const byBasic = await hr().send("/upload", [filePart(file())], { who });
    expect({ status: byBasic.status, body: byBasic.body }).toEqual({ status: 401, body: incorrect });
    expect(byBasic.headers.get("www-authenticate")).toMatch(/^Basic realm=/);
  });

  it.each(["Basic", "Basic !!!", `Basic ${Buffer.from("no colon").toString("base64")}`, "Bearer abc", "Digest x=1"])(
    "are refused: the header %s",
    async (authorization) => {
      const { status, headers } = await hr().send("/upload", [filePart(file())], { headers: { authorization } });
      expect(status).toBe(401);
      expect(headers.get("www-authenticate")).toMatch(/^Basic realm=/);
    },
  );

  it.each(["/backup?table=jobs", "/restore?table=jobs"])("are refused by %s", async (path) => {
    const inForm = await post(path, { body: form(wrong) });
    expect({ status: inForm.status, body: inForm.body }).toEqual({ status: 400, body: incorrect });
    const byBasic = await post(path, { who: wrong });
    expect({ status: byBasic.status, body: byBasic.body }).toEqual({ status: 401, body: incorrect });
  });

  it("are refused by GET /backups", async () => {
    const { status, body } = await hr().request("/backups", { who: wrong });
    expect({ status, body }).toEqual({ status: 401, body: incorrect });
    expect([401, 422]).toContain((await hr().request("/backups")).status);
  });

  it("are seen before anything else that is wrong", async () => {
    const uploads: Upload[] = [
      { name: "myowntable.csv", content: "1\n" },
      { name: "jobs.csv", content: "" },
    ];
    for (const upload of uploads) expect((await hr().upload({ ...upload, who: wrong })).body).toEqual(incorrect);
    expect((await hr().send("/upload", fieldsOf(wrong))).body).toEqual(incorrect);
    for (const path of [
      "/backup",
      "/backup?table=nothing",
      "/restore?table=nothing",
      "/restore?table=jobs&version=x",
    ]) {
      expect((await post(path, { body: form(wrong) })).body).toEqual(incorrect);
    }
  });
});

describe("a credential that is missing", () => {
  const both = [
    ["body", "username"],
    ["body", "password"],
  ];
  const parts = fieldsOf(admin);
  it.each([
    { title: "the user", sent: parts.slice(1), missing: [["body", "username"]] },
    { title: "the password", sent: parts.slice(0, 1), missing: [["body", "password"]] },
    { title: "both", sent: [], missing: both },
    { title: "an empty password", sent: fieldsOf({ ...admin, password: "" }), missing: [["body", "password"]] },
  ])("is named: $title", async ({ sent, missing }) => {
    expect(placesOf(await hr().send("/upload", [...sent, filePart(file())]))).toEqual(missing);
    if (sent.length > 0) expect(placesOf(await hr().send("/backup?table=jobs", sent))).toEqual(missing);
  });

  it("is named when there is no body at all", async () => {
    expect(placesOf(await post("/backup?table=jobs"))).toEqual(both);
  });
});

describe("a role", () => {
  const asks = (who: Credentials) => ({
    upload: () => hr().upload({ ...file(), who }),
    uploadByBasic: () => hr().send("/upload", [filePart(file())], { who }),
    backup: () => post("/backup?table=jobs", { body: form(who) }),
    backups: () => hr().request("/backups", { who }),
    restore: () => post("/restore?table=departments", { body: form(who) }),
  });

  async function statusesOf(who: Credentials): Promise<Record<string, number>> {
    const statuses: [string, number][] = [];
    for (const [name, ask] of Object.entries(asks(who))) statuses.push([name, (await ask()).status]);
    return Object.fromEntries(statuses);
  }

  beforeAll(async () => {
    await hr().uploaded({ name: "departments.csv", content: "1,Sales\n" });
    await backUp(hr(), "departments");
  });

  it("of a reader may list backups", async () => {
    expect(await statusesOf(reader)).toEqual({
      ...{ upload: 403, uploadByBasic: 403, backup: 403, backups: 200, restore: 403 },
    });
  });

  it("of a writer may upload and back up too", async () => {
    expect(await statusesOf(writer)).toEqual({
      ...{ upload: 200, uploadByBasic: 200, backup: 200, backups: 200, restore: 403 },
    });
  });

  it("of an admin may restore too", async () => {
    expect(await statusesOf(admin)).toEqual({
      ...{ upload: 200, uploadByBasic: 200, backup: 200, backups: 200, restore: 200 },
    });
  });

  it("that is too low is said in JSON, and nothing is loaded", async () => {
    const upload = file();
    const { status, body } = await hr().upload({ ...upload, who: reader });
    expect({ status, body }).toMatchObject({ status: 403, body: { error: expect.stringMatching(/\w/) } });
    expect(await hr().uploaded(upload)).toMatchObject({ nrows_inserted: 2 });
  });
});

describe("text that looks like SQL", () => {
  const attempts = ["' or '1'='1", '"; drop table jobs; --', "'); delete from jobs; --", "ada\0"];

  it.each(attempts)("is no user and no password: %j", async (text) => {
    for (const who of [
      { ...admin, username: text },
      { ...admin, password: text },
    ]) {
      const { status } = await hr().upload({ ...file(), who });
      expect([400, 422]).toContain(status);
      expect((await hr().request("/backups", { who })).status).toBe(401);
    }
  });

  it.each(attempts)("is no table, insight, limit, year, version or mode: %j", async (text) => {
    const value = encodeURIComponent(text);
    const unknown = { error: `The table ${text} is not supported` };
    for (const path of ["/backup", "/restore"]) {
      const { status, body } = await post(`${path}?table=${value}`, { who: admin });
      expect({ status, body }).toEqual({ status: 405, body: unknown });
    }
    const insight = await hr().request(`/insights?table=${value}`);
    expect(insight.status).toBe(405);
    expect(insight.body).toEqual({ error: `The insight ${text} is not supported` });
    for (const name of ["limit", "year"]) {
      expect((await hr().request(`/insights?table=HIRES_DEPARTMENT_JOB&${name}=${value}`)).status).toBe(422);
    }
    const { status } = await post(`/restore?table=departments&version=${value}`, { who: admin });
    expect(status).toBeGreaterThanOrEqual(400);
    expect((await hr().upload({ ...file(), query: `?mode=${value}` })).status).toBe(422);
  });

  it("has left the tables as they were", async () => {
    expect(await hr().count("departments")).toBe(1);
    expect(await hr().count("hired_employees")).toBeGreaterThan(0);
  });
});

describe("a password", () => {
  it("of a hundred thousand characters is refused, and quickly", async () => {
    const who = { ...admin, password: "x".repeat(100_000) };
    const { status } = await hr().upload({ ...file(), who }, { withinMs: 5_000 });
    expect([400, 413, 422]).toContain(status);
  });

  it("is nowhere in the data folder", async () => {
    const found: string[] = [];
    for (const name of await readdir(hr().data, { recursive: true })) {
      const path = join(hr().data, name);
      if (!(await stat(path)).isFile()) continue;
      const bytes = await readFile(path);
      if ([admin, reader, writer].some(({ password }) => bytes.includes(password))) found.push(name);
    }
    expect(found).toEqual([]);
  });
});

describe("a user who is removed", () => {
  it("is refused within a second or two, and for good", async () => {
    const leaver: Credentials = { username: "leo", password: "leo leaves on friday" };
    await hr().addUser(leaver, "writer");
    expect((await hr().upload({ ...file(), who: leaver })).status).toBe(200);
    const { code, stderr } = await hr().millrace("user", "remove", leaver.username, "--data", hr().data);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const upload = () => hr().upload({ ...file(), who: leaver });
    await expect.poll(async () => (await upload()).status, { timeout: 3_000 }).toBe(400);
    expect((await upload()).body).toEqual(incorrect);
    expect((await hr().request("/backups", { who: leaver })).status).toBe(401);
  });
});
