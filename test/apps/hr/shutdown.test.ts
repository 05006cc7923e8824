import { connect } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hiredLines } from "./hired.ts";
import { multipart } from "./multipart.ts";
import { describePlaces, serving } from "./places.ts";
import { RawClient } from "./raw-client.ts";
import type { UploadAnswer } from "./reply.ts";
import { admin, fieldsOf, filePart, HrService, type Upload } from "./service.ts";

const perFile = 100;
const filesPerTest = 1_000;
const fileAt = (index: number): Upload => ({
  name: "hired_employees.csv",
  content: hiredLines(1 + index * perFile, perFile),
});

/** Whether somebody listens there. */
function isOpen(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

describePlaces("the service", (place) => {
  let hr: HrService;
  /** The number of the first file that no test has used yet. */
  let base = 0;
  beforeAll(async () => {
    hr = await HrService.open(await place());
  });
  beforeEach(async () => {
    base += filesPerTest;
    if (!hr.isRunning) await hr.start();
  });
  afterAll(() => hr[Symbol.asyncDispose]());

  /** How many rows of each file of this test are in the table. */
  async function rowsPerFile(): Promise<Map<number, number>> {
    const rows = await hr.query(
      `select (id - 1) - (id - 1) % ${perFile} as start, count(*) as n from hired_employees
       where id > ${base * perFile} group by 1`,
    );
    return new Map(rows.map(({ start, n }) => [Number(start) / perFile, Number(n)]));
  }

  /**
   * Uploads files one after another from several clients until `end` has ended the service; every one of them is
   * answered or fails to be. Then starts the service again and holds the table against the answers.
   */
  async function keepsItsWord(end: () => Promise<unknown>): Promise<void> {
    const taken: number[] = [];
    const refused: number[] = [];
    let isOver = false;
    const client = async (start: number): Promise<void> => {
      for (let index = start; !isOver; index += 4) {
        const reply = await hr.upload(fileAt(index)).catch(() => undefined);
        if (reply?.status === 200) {
          expect((reply.body as UploadAnswer).nrows_inserted).toBe(perFile);
          taken.push(index);
        } else {
          refused.push(index);
          if (reply !== undefined) expect(reply.status).toBe(503);
          isOver = true;
        }
      }
    };
    const clients = [0, 1, 2, 3].map((start) => client(base + start));
    await expect.poll(() => taken.length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(8);
    await end();
    await Promise.all(clients);
    await hr.start();
    const kept = await rowsPerFile();
    expect(taken.filter((index) => kept.get(index) !== perFile)).toEqual([]);
    expect([...kept.values()].filter((rows) => rows !== perFile)).toEqual([]);
    expect([...kept.keys()].filter((index) => !taken.includes(index) && !refused.includes(index))).toEqual([]);
    for (const index of refused) {
      const { nrows_inserted, nrows_merged = 0 } = await hr.uploaded(fileAt(index));
      expect(nrows_inserted + nrows_merged).toBe(perFile);
    }
  }

  it("ends in order on SIGTERM, and its port is free", async () => {
    await hr.uploaded(fileAt(base));
    const { url } = hr;
    const { code, stdout, stderr } = await hr.stop();
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringMatching(/\n\s+at /) });
    expect(`${stdout}${stderr}`).not.toContain(admin.password);
    expect(await isOpen(url)).toBe(false);
  });

  it("on SIGTERM answers an upload or refuses it, and keeps its word", async () => {
    await keepsItsWord(async () => expect((await hr.stop()).code).toBe(0));
  });

  it("killed at any moment, has what it said it has", async () => {
    await keepsItsWord(() => hr.kill());
  });

  it("killed after an upload was answered, has its rows, users and rejects after a restart", async () => {
    const name = "hired_employees.csv";
    await hr.uploaded(fileAt(base));
    expect(await hr.uploaded({ name, content: `${base},Ann\n` })).toMatchObject({ nrows_failed: 1 });
    await hr.kill();
    await hr.start();
    expect(await rowsPerFile()).toEqual(new Map([[base, perFile]]));
    const { stdout } = await hr.millrace("rejects", "list", "--to", hr.to);
    expect(stdout).toContain(`${base},Ann`);
    expect(await hr.uploaded(fileAt(base))).toMatchObject({ nrows_inserted: 0, nrows_merged: perFile });
  });
});

describe("a client that stays", () => {
  const hr = serving(() => ({}));
  beforeEach(async () => {
    if (!hr().isRunning) await hr().start();
  });

  /** An upload as it goes over the wire. */
  function request(): Buffer {
    const { type, bytes } = multipart([...fieldsOf(admin), filePart(fileAt(0))]);
    const lines = [
      "POST /upload HTTP/1.1",
      "Host: x",
      `Content-Type: ${type}`,
      `Content-Length: ${bytes.length}`,
      "",
      "",
    ];
    return Buffer.concat([Buffer.from(lines.join("\r\n")), bytes]);
  }

  it.each([
    { title: "asked for nothing", said: 0 },
    { title: "sent half a head", said: 20 },
    { title: "sent half a body", said: 600 },
  ])("and $title does not keep the service from ending on SIGTERM", async ({ said }) => {
    using client = await RawClient.to(hr().url);
    await client.send(request().subarray(0, said));
    await hr().uploaded(fileAt(1)); // By then the other client's bytes have been seen.
    expect((await hr().stop()).code).toBe(0);
    await client.closed();
    await hr().start();
    expect(await hr().count("hired_employees", `id <= ${perFile}`)).toBe(0);
  });

  it("on its connection when it was answered does not keep it either", async () => {
    using client = await RawClient.to(hr().url);
    await client.send(request().subarray(0, 600));
    await hr().uploaded(fileAt(1));
    const answer = hr().stop(5_000);
    await client.send(request().subarray(600));
    expect((await answer).code).toBe(0);
  });
});
