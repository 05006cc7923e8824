import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { applications } from "../../apps/index.ts";
import type { EngineRow } from "../../src/ports/engine.ts";
import { openLog } from "../../src/runtime/schemes.ts";
import { Session } from "../../src/runtime/session.ts";
import { ServedScene } from "./scene.ts";

const fleet = applications.filter(({ name }) => name === "fleet");

const event = (vin: string, timestamp: number): Record<string, unknown> => ({
  ...{ timestamp, make: "Ford", model: "Edge" },
  ...{ position_x: 1.5, position_y: -2, position_z: 0.25, speed: 3, vin },
});

const vin = (number: number): string => `TEST${String(number).padStart(13, "0")}`;

async function query(scene: ServedScene, sql: string): Promise<EngineRow[]> {
  const session = await Session.open({ notice: () => undefined });
  try {
    const sink = await session.sink(`duckdb:${scene.data}/fleet.duckdb`);
    const rows: EngineRow[] = [];
    for await (const piece of sink.query(sql)) rows.push(...piece);
    return rows;
  } finally {
    await session.close();
  }
}

const post = (scene: ServedScene, body: string, type: string): Promise<Response> =>
  scene.post("/events", { body, headers: { "content-type": type } });

async function untilRows(scene: ServedScene, sql: string, count: number): Promise<EngineRow[]> {
  let rows: EngineRow[] = [];
  await vi.waitFor(
    async () => {
      rows = await query(scene, sql);
      expect(rows).toHaveLength(count);
    },
    { timeout: 20_000, interval: 200 },
  );
  return rows;
}

describe("the fleet", () => {
  let scene: ServedScene;

  beforeAll(async () => {
    scene = await ServedScene.open(fleet, "fleet.lingerMs=20", "fleet.deadLetters=log:{data}/stream/dead");
  }, 60_000);

  afterAll(() => scene[Symbol.asyncDispose]());

  it("answers an event as it is stored, be it a form or JSON, and stores it once however often it is sent", async () => {
    const fields = Object.entries(event(vin(1), 1_664_624_846.762738)).map(([name, value]): [string, string] => [
      name,
      String(value),
    ]);
    const form = new URLSearchParams(fields);
    for (let times = 0; times < 3; times += 1) {
      const answer = await post(scene, form.toString(), "application/x-www-form-urlencoded");
      expect([answer.status, await answer.json()]).toEqual([200, event(vin(1), 1_664_624_846.762738)]);
    }
    const json = await post(scene, JSON.stringify(event(vin(1), 2)), "application/json");
    expect(json.status).toBe(200);
    const rows = await untilRows(
      scene,
      `select id, "timestamp" as t, vin from diag where vin = '${vin(1)}' order by t`,
      2,
    );
    expect(rows.map(({ t }) => t)).toEqual([2, 1_664_624_846.762738]);
  });

  it("takes batches, and says what of them is no event", async () => {
    const array = await post(scene, JSON.stringify([event(vin(2), 1), 7, event(vin(2), 2)]), "application/json");
    expect(await array.json()).toEqual({
      ...{ accepted: 2, rejected: 1 },
      errors: [{ index: 1, error: "is not a JSON object with fields" }],
    });
    const lines = `${JSON.stringify(event(vin(2), 3))}\n\n{broken\n${JSON.stringify(event(vin(2), 4))}\n`;
    expect(await (await post(scene, lines, "application/x-ndjson")).json()).toMatchObject({ accepted: 2, rejected: 1 });
    await untilRows(scene, `select 1 from diag where vin = '${vin(2)}'`, 4);
  });

  it.each([
    ["nothing", "", "application/x-www-form-urlencoded"],
    ["an empty object", "{}", "application/json"],
    ["an empty list", "[]", "application/json"],
  ])("refuses %s", async (_, body, type) => {
    const answer = await post(scene, body, type);
    expect([answer.status, await answer.json()]).toEqual([400, { error: "Invalid event type or format!" }]);
  });

  it("keeps bad events as rejects with bytes and offset, and sends them to the dead letters", async () => {
    const bad = { ...event("short", 5), speed: "fast", make: 'a "quoted" name that is too long' };
    expect((await post(scene, JSON.stringify(bad), "application/json")).status).toBe(200);
    const sql =
      "select decode(bytes) as record, record_offset, reasons from millrace_reject where decode(bytes) like '%short%'";
    const [reject] = await untilRows(scene, sql, 1);
    const { record, reasons } = reject as { record: string; reasons: { column: string }[] };
    expect(JSON.parse(record)).toEqual(bad);
    const columns = reasons.map(({ column }) => column);
    expect(columns).toEqual(expect.arrayContaining(["vin", "speed", "make"]));
  });

  it("counts the events that are durable, on a page", async () => {
    const answer = await scene.get("/events");
    expect(answer.headers.get("content-type")).toContain("text/html");
    expect(await answer.text()).toMatch(/Welcome to KafkaProducer\/HTTPServer![^]*Events served: \d+\./);
    expect((await scene.get("/events", { accept: "*/*" })).status).toBe(200);
  });

  it("tells live figures once a second", async () => {
    const stop = new AbortController();
    const answer = await fetch(new URL("/api/live", scene.server.url), { signal: stop.signal });
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    await post(scene, JSON.stringify(event(vin(9), 9)), "application/json");
    let said = "";
    for await (const piece of answer.body ?? []) {
      said += Buffer.from(piece as Uint8Array).toString("utf8");
      if (said.includes(vin(9))) break;
    }
    stop.abort();
    const figures = said
      .split("\n")
      .filter((line) => line.startsWith("data: "))
      .map((line) => JSON.parse(line.slice(6)) as object);
    expect(figures.at(-1)).toMatchObject({ lag: expect.anything(), delayMs: { p50: expect.any(Number) } });
  });
});

describe("a stream that is full", () => {
  const filler = "x".repeat(40_000);

  it("is said with 503 and when to come again, takes events when there is room, and loses none that it has answered", async () => {
    await using scene = await ServedScene.open(
      fleet,
      "fleet.lingerMs=20",
      "fleet.stream=log:{data}/stream/full?max=1MB",
    );
    const session = await Session.open({ notice: () => undefined });
    try {
      const log = session.closing(await openLog(`log:${scene.data}/stream/full?max=1MB`, session.context));
      await log.open();
      // Another reader, who has settled nothing yet: nothing may be removed.
      for (const lane of await log.lanes()) await log.settle("another", lane, lane.start);
      const answers: Response[] = [];
      const send = async (number: number): Promise<number> => {
        // Too long for the table's contract, so that few fill the stream: each is a reject in the end.
        const answer = await post(
          scene,
          JSON.stringify({ ...event(vin(number), 1), note: filler }),
          "application/json",
        );
        answers.push(answer);
        return answer.status;
      };
      let sent = 0;
      while ((await send(sent)) === 200) sent += 1;
      expect(sent).toBeGreaterThan(5);
      expect(answers.at(-1)?.status).toBe(503);
      expect(Number(answers.at(-1)?.headers.get("retry-after"))).toBeGreaterThan(0);
      for (const lane of await log.lanes()) await log.settle("another", lane, lane.end);
      await vi.waitFor(async () => expect(await send(sent)).toBe(200), { timeout: 20_000, interval: 100 });
      const rejected = "select record_offset from millrace_reject";
      await untilRows(scene, rejected, sent + 1);
    } finally {
      await session.close();
    }
  }, 60_000);
});

describe("an event that is larger than the stream takes", () => {
  let scene: ServedScene;
  const large = { ...event(vin(1), 1), model: "x".repeat(300_000) };

  beforeAll(async () => {
    scene = await ServedScene.open(fleet, "fleet.stream=log:{data}/stream/small?max=1MB");
  }, 60_000);

  afterAll(() => scene[Symbol.asyncDispose]());

  it("is refused alone, by its place in the batch as it was sent", async () => {
    const batch = [7, event(vin(1), 2), large, event(vin(1), 3), large];
    const answer = await post(scene, JSON.stringify(batch), "application/json");
    expect([answer.status, await answer.json()]).toEqual([
      200,
      {
        ...{ accepted: 2, rejected: 3 },
        errors: [
          { index: 0, error: "is not a JSON object with fields" },
          { index: 2, error: "is larger than the stream takes" },
          { index: 4, error: "is larger than the stream takes" },
        ],
      },
    ]);
  });

  it("is refused when it is sent by itself", async () => {
    expect((await post(scene, JSON.stringify(large), "application/json")).status).toBe(413);
  });
});
