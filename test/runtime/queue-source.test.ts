import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Options } from "amqplib";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { double, integer, pipeline, table, text } from "../../src/index.ts";
import { inspectPipeline } from "../../src/runtime/inspection.ts";
import { diagnosePlace } from "../../src/runtime/doctor.ts";
import type { RunEvent } from "../../src/runtime/events.ts";
import { runIn } from "../../src/runtime/run.ts";
import { Session } from "../../src/runtime/session.ts";
import { stagesOf } from "../../src/runtime/stages.ts";
import { traceRow } from "../../src/runtime/trace.ts";
import { freshName, makeQueue, removeQueues, withChannel } from "../adapters/rabbitmq/scene.ts";
import { CutWire } from "../crash/cut-wire.ts";
import { freePort } from "../servers/place.ts";
import { describeWith } from "../servers/not-run.ts";
import { startRabbitmq } from "../servers/rabbitmq.ts";
import type { Server } from "../servers/server.ts";

const points = table("points", { id: integer().nullable(), name: text().nullable(), at: double().nullable() });

describeWith("rabbitmq", "a queue of RabbitMQ", () => {
  let server: Server;
  let folder: string;
  let session: Session;
  let name: string;
  const notices: string[] = [];

  beforeAll(async () => {
    server = await startRabbitmq();
  }, 120_000);
  afterAll(() => server?.stop());
  beforeEach(async () => {
    name = freshName();
    folder = await mkdtemp(join(tmpdir(), "millrace-queue-"));
    notices.length = 0;
    const notice = (told: string): void => void notices.push(told);
    session = await Session.open({ notice, data: join(folder, "data"), memoryBytes: 300 * 2 ** 20 });
  });
  afterEach(async () => {
    await session.close();
    await removeQueues(server.url, name);
    await rm(folder, { recursive: true, force: true });
  });

  const url = (): string => `${server.url}/${name}`;
  const to = (): string => `duckdb:${join(folder, "points.db")}`;
  const reads = (from = url()) => pipeline("points").from(from).check(points).to(to(), { mode: "append" });

  /** As somebody else's program sends them. */
  async function send(
    messages: readonly (readonly [body: string | Buffer, options?: Options.Publish])[],
  ): Promise<void> {
    const queue = makeQueue(url());
    await queue.open();
    await queue.close();
    await withChannel(server.url, async (channel) => {
      for (const [body, options] of messages) channel.sendToQueue(name, Buffer.from(body), options);
      await channel.waitForConfirms();
    });
  }

  async function rows(sql = "select id, name from points order by id"): Promise<unknown[]> {
    const sink = await session.sink(to());
    await sink.open("read");
    const found: unknown[] = [];
    for await (const piece of sink.query(sql)) found.push(...piece.map((row) => Object.values(row)));
    return found;
  }

  it("is read message by message when others send, each with an id once, what is no record a reject", async () => {
    const json = { contentType: "application/json" };
    await send([
      ['{"id":1,"name":"one"}', { ...json, messageId: "a" }],
      ['{"id":2,"name":"two"}', { ...json, messageId: "b" }],
      ['{"id":2,"name":"again"}', { ...json, messageId: "b" }],
      [Buffer.from([0x7b, 0xff]), { contentType: "text/plain", messageId: "c" }],
      ['{"id":"three"}'],
    ]);
    const summary = await runIn(session, reads(), {});
    expect(summary).toMatchObject({ read: 5, loaded: 2, filtered: 1, rejected: 2, balanced: true });
    await send([['{"id":1,"name":"much later"}', { messageId: "a" }], ['{"id":4,"name":"four"}']]);
    expect(await runIn(session, reads(), {})).toMatchObject({ read: 2, loaded: 1, filtered: 1 });
    expect(await rows()).toEqual([
      [1, "one"],
      [2, "two"],
      [4, "four"],
    ]);
    const sink = await session.sink(to());
    await sink.open("read");
    const rejects = await sink.records.rejects({ limit: 10 });
    expect(rejects.map(({ bytes }) => Buffer.from(bytes).toString("hex"))).toEqual([
      "7bff",
      Buffer.from('{"id":"three"}').toString("hex"),
    ]);
    expect(await diagnosePlace(session, url())).toContainEqual(
      expect.objectContaining({ check: "depth", detail: "0 messages wait, 0 consume" }),
    );
  });

  it("passes rows from stage to stage, many in a message, and why finds the line", async () => {
    const file = join(folder, "in.csv");
    await writeFile(
      file,
      Array.from({ length: 5_000 }, (_, id) => (id === 7 ? "seven,x,1" : `${id},n${id},${id / 4}`)).join("\n"),
    );
    const whole = pipeline("points").from(file, { header: false }).check(points).via(url())
      .sql`select * replace (upper(name) as name) from batch`.to(to(), { mode: "append", lineage: true });
    const [first, second] = await stagesOf(whole, session.engine);
    if (first === undefined || second === undefined) throw new Error("there are two stages");
    expect(await runIn(session, first, {})).toMatchObject({ read: 5_000, loaded: 4_999, rejected: 1 });
    const sent = await withChannel(server.url, async (channel) => (await channel.checkQueue(name)).messageCount);
    expect(sent).toBeLessThanOrEqual(20);
    expect(await runIn(session, second, {})).toMatchObject({ read: 4_999, loaded: 4_999, balanced: true });
    expect(await rows("select count(*)::integer, count(distinct id)::integer, max(name) from points")).toEqual([
      [4_999, 4_999, "N999"],
    ]);
    const sink = await session.sink(to());
    await sink.open("read");
    const [traced] = await traceRow(sink, "points", { id: "4321" });
    expect(
      JSON.stringify(traced, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
    ).toContain("in.csv");
  });

  it("sets aside what came back too often, as it was and with the reason, and goes on with the others", async () => {
    await send([['{"id":1,"name":"poison"}', { messageId: "p" }]]);
    for (let times = 0; times < 4; times += 1) {
      await withChannel(server.url, async (channel) => {
        const got = await channel.get(name);
        if (got !== false) channel.nack(got);
      });
    }
    await send([['{"id":2,"name":"good"}', { messageId: "g" }]]);
    expect(await runIn(session, reads(`${url()}?deliveries=4`), {})).toMatchObject({ read: 1, loaded: 1 });
    expect(await rows()).toEqual([[2, "good"]]);
    expect(notices.join()).toContain("p was set aside: handed out 4 times");
    await withChannel(server.url, async (channel) => {
      const dead = await channel.get(`${name}.dead`);
      if (dead === false) throw new Error("it is not there");
      const { messageId, headers } = dead.properties;
      expect([dead.content.toString(), messageId, headers?.["millrace-reason"]]).toEqual([
        '{"id":1,"name":"poison"}',
        "p",
        "handed out 4 times, and never acknowledged",
      ]);
      channel.nack(dead);
    });
    expect(await diagnosePlace(session, url())).toContainEqual(
      expect.objectContaining({ check: "dead letters", detail: "1 were set aside" }),
    );
    // Once its cause is mended it is read from there, and counts.
    expect(await runIn(session, reads(`${server.url}/${name}.dead?dead=${name}`), {})).toMatchObject({ loaded: 1 });
  });

  it("gives nothing twice when it is stopped in order, also of messages without an id", async () => {
    const stop = new AbortController();
    await send(Array.from({ length: 3_000 }, (_, id) => [`{"id":${id}}`] as const));
    const batches: number[] = [];
    const watch = {
      committed: async (batch: { readonly counts: { readonly loaded: number } }): Promise<void> => {
        batches.push(batch.counts.loaded);
        stop.abort();
      },
    };
    await runIn(session, reads(), { follow: true, signal: stop.signal, watch });
    expect(batches.length).toBeGreaterThan(0);
    await runIn(session, reads(), {});
    expect(await rows("select count(*)::integer, count(distinct id)::integer from points")).toEqual([[3_000, 3_000]]);
  });

  it("is consumed again when the network was cut, and what came twice is filtered", { timeout: 90_000 }, async () => {
    const port = await freePort();
    await using wire = await CutWire.listen(port);
    wire.target = Number(new URL(server.url).port);
    const through = url().replace(/:\d+\//, `:${port}/`);
    const stop = new AbortController();
    await send([['{"id":1,"name":"before"}', { messageId: "1" }]]);
    const events: RunEvent[] = [];
    const onEvent = (event: RunEvent): void => void events.push(event);
    const running = runIn(session, reads(through), { follow: true, signal: stop.signal, onEvent });
    try {
      await vi.waitFor(async () => expect(await rows()).toHaveLength(1), { timeout: 20_000 });
      wire.cut();
      await send([['{"id":2,"name":"behind"}', { messageId: "2" }]]);
      // The broker notices by its heartbeats, as the client does.
      await vi.waitFor(() => expect(notices.join()).toContain("consuming again"), { timeout: 60_000, interval: 200 });
      wire.heal();
      await vi.waitFor(async () => expect(await rows()).toHaveLength(2), { timeout: 30_000, interval: 200 });
      expect(events).toContainEqual({
        event: "backlog",
        source: name,
        waiting: expect.any(Number) as number,
        ageMs: 0,
      });
    } finally {
      stop.abort();
      await running;
    }
  });

  it("tells before anything runs what counts once, and refuses what needs an end", async () => {
    const [inspection] = await inspectPipeline(session, reads());
    expect(inspection?.findings).toContainEqual(
      expect.objectContaining({
        check: "source",
        detail: expect.stringContaining("those without at least once") as string,
      }),
    );
    const whole = pipeline("points").from(url()).check(points).to(to(), { mode: "replace" });
    await expect(runIn(session, whole, {})).rejects.toMatchObject({ code: "PIPELINE_INVALID" });
  });
});
