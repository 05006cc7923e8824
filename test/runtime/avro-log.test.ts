import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { schemaRegistry } from "../../src/adapters/registry/index.ts";
import { pipeline } from "../../src/core/pipeline.ts";
import { bigint, decimal, json, table, text, timestamp } from "../../src/core/table.ts";
import { avroRowValues } from "../../src/formats/avro/row-values.ts";
import type { RunEvent } from "../../src/runtime/events.ts";
import { run } from "../../src/runtime/run.ts";
import { Session } from "../../src/runtime/session.ts";
import { context, logAt, newName } from "../adapters/kafka/scene.ts";
import { Front } from "../adapters/registry/front.ts";
import { Workplace } from "../cli/cli.ts";
import { framed } from "../formats/avro/schemas.ts";
import { type KafkaServer, startKafka } from "../servers/kafka.ts";
import { describeWith } from "../servers/not-run.ts";
import { startRegistry } from "../servers/registry.ts";
import type { RestartableServer } from "../servers/server.ts";

const orders = table("orders", {
  id: bigint().key(),
  at: timestamp(),
  amount: decimal(9, 2),
  note: text().nullable(),
  tags: json().nullable(),
});

const at = { name: "at", type: { type: "long", logicalType: "timestamp-micros" } };
const amount = { name: "amount", type: { type: "bytes", logicalType: "decimal", precision: 9, scale: 2 } };
const older = { type: "record", name: "order", fields: [{ name: "id", type: "long" }, at, amount] };
const tags = { name: "tags", type: { type: "map", values: { type: "array", items: "int" } } };
const newer = {
  ...older,
  fields: [tags, { name: "id", type: "int" }, { name: "note", type: ["null", "string"] }, at, amount],
};
const later = { ...older, name: "later" };
const when = 1_636_253_322_000_001;
const inRow = "2021-11-07T02:48:42.000001";
const cents = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);

let kafka: KafkaServer;
let server: RestartableServer;

describeWith(["kafka", "registry"], "Avro with a schema registry:", () => {
  beforeAll(async () => {
    [kafka, server] = await Promise.all([startKafka(), startRegistry()]);
  }, 120_000);
  afterAll(async () => {
    await Promise.all([kafka.stop(), server.stop()]);
  });

  describe("a topic", () => {
    aTopic();
  });
  describe("rows that go to a topic", () => {
    rowsToTopic();
  });
});

function aTopic(): void {
  let place: Workplace;
  let topic: string;

  beforeEach(async () => {
    place = await Workplace.open();
    topic = newName("orders");
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const from = (): string => `${kafka.url}/${topic}`;
  const to = (): string => `duckdb:${place.path("orders.db")}`;

  async function append(...values: readonly Uint8Array[]): Promise<void> {
    const log = logAt(kafka.url, topic, "partitions=1");
    try {
      await log.open();
      for (const value of values) await log.append([{ key: Buffer.from("k"), value, timeMs: Date.now() }]);
    } finally {
      await log.close();
    }
  }

  async function register(schema: object): Promise<number> {
    const registry = schemaRegistry(server.url, context);
    return registry.register(`${topic}-value`, JSON.stringify(schema));
  }

  async function query(sql: string): Promise<unknown[]> {
    const answer = await place.millrace("query", to(), sql, "--json");
    expect({ code: answer.code, stderr: answer.stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(answer.stdout) as unknown[];
  }

  const rows =
    'select id, amount::varchar as amount, note, tags::varchar as tags, "at"::varchar as "at" from orders order by id';
  const row = (id: number, price: string, more: object = {}): object => ({
    ...{ id, amount: price, note: null, tags: null, at: inRow.replace("T", " ") },
    ...more,
  });

  /** Seven records: of three schemas, and of none. */
  async function send(): Promise<{ readonly unknown: number; readonly cut: Buffer }> {
    const [first, second] = [await register(older), await register(newer)];
    const client = schemaRegistry(server.url, context);
    const columns = Object.entries(orders.columns).map(([name, column]) => ({ ...column, name }));
    const values = avroRowValues({ registry: client, topic, table: orders.table, columns });
    const [own = Buffer.of()] = await values.encode([{ id: 5n, at: inRow, amount: "7.00", note: "é", tags: "[1]" }]);
    // The next schema to be registered gets the next id.
    const unknown = Buffer.from(own).readUInt32BE(1) + 1;
    const cut = framed(first, older, { id: 9, at: when, amount: cents(1) }).subarray(0, 8);
    await append(
      framed(first, older, { id: 1, at: when, amount: cents(1250) }),
      framed(second, newer, { tags: { a: [1, 2] }, id: 2, note: "n", at: when, amount: cents(1) }),
      Buffer.from('{"id":3}'),
      cut,
      framed(first, older, { id: 4, at: when, amount: cents(300) }),
      own,
      framed(unknown, later, { id: 6, at: when, amount: cents(600) }),
    );
    return { unknown, cut };
  }

  const title = "becomes rows, whatever schema each record was written with; rejects are kept to the byte and replayed";
  test(title, { timeout: 180_000 }, async () => {
    const { unknown, cut } = await send();
    await place.write("orders.json", JSON.stringify({ table: "orders", columns: orders.columns }));
    const registry = server.url.replace("http://", "http://ann:secret-word@");
    const named = ["--format", "avro", "--registry", registry, "--contract", "orders.json", "--to", to()];
    const load = await place.millrace("load", from(), ...named);
    expect(load.stdout + load.stderr).not.toContain("secret-word");
    expect(await query(rows)).toEqual([
      row(1, "12.50"),
      row(2, "0.01", { note: "n", tags: '{"a":[1,2]}' }),
      row(4, "3.00"),
      row(5, "7.00", { note: "é", tags: "[1]" }),
    ]);
    const kept = await query(
      "select record_offset, lower(hex(bytes)) as bytes, reasons->>'$[0].code' as code, format from millrace_reject order by 1",
    );
    expect(JSON.stringify(kept)).not.toContain("secret-word");
    expect(kept).toMatchObject([
      { record_offset: 2, bytes: Buffer.from('{"id":3}').toString("hex"), code: "malformed" },
      { record_offset: 3, bytes: cut.toString("hex"), code: "malformed" },
      { record_offset: 6, code: "schema" },
    ]);
    expect(await register(later)).toBe(unknown);
    const replay = (...args: readonly string[]) => place.millrace("rejects", "replay", "--to", to(), ...args);
    expect((await replay("--code", "schema")).stderr).toMatch(/--registry URL/);
    const replayed = await replay("--code", "schema", "--registry", registry);
    expect(replayed.stdout).toMatch(/replayed 1 = loaded (0 \+ merged 1|1)/);
    await place.write("fixed.json", JSON.stringify({ id: "3", at: inRow, amount: "9.99" }));
    await replay("1", "--with", "fixed.json");
    expect((await query(rows)).slice(2)).toEqual([
      row(3, "9.99"),
      row(4, "3.00"),
      row(5, "7.00", { note: "é", tags: "[1]" }),
      row(6, "6.00"),
    ]);
  });

  test("waits for a registry that is away, says so, and loses nothing", { timeout: 120_000 }, async () => {
    const first = await register(older);
    let isAway = true;
    const { pathname, origin } = new URL(server.url);
    await using front = await Front.open(
      () => (isAway ? { status: 503, body: { message: "starting" } } : undefined),
      origin,
    );
    await append(
      framed(first, older, { id: 1, at: when, amount: cents(100) }),
      framed(first, older, { id: 2, at: when, amount: cents(200) }),
    );
    const notices: string[] = [];
    const onEvent = (event: RunEvent): void => {
      if (event.event !== "notice") return;
      notices.push(event.text);
      isAway = false;
    };
    const options = { format: "avro", registry: `${front.url()}${pathname}` } as const;
    const summary = await run(pipeline("orders").from(from(), options).check(orders).to(to()), { onEvent });
    expect(summary).toMatchObject({ read: 2, rejected: 0, balanced: true });
    expect(notices).toEqual([
      expect.stringContaining("needs its schemas waits"),
      expect.stringContaining("answers again"),
    ]);
  });
}

function rowsToTopic(): void {
  let place: Workplace;
  beforeAll(async () => {
    place = await Workplace.open();
    await place.write("orders.csv", `1,2021-11-07T02:48:42,12.50,,"[1, 2]"\n2,2021-11-07T02:48:42,0.01,n,\n`);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  const send = (topic: string, registry: string, onEvent: (event: RunEvent) => void = () => undefined) => {
    const state = `duckdb:${place.path(`${topic}-state.db`)}`;
    const from = pipeline(topic).from(place.path("orders.csv"), { header: false }).check(orders);
    return run(from.to(`${kafka.url}/${topic}?partitions=1`, { format: "avro", registry, state }), { onEvent });
  };

  test("are read by a pipeline as what they were; a registry that is away is waited for", {
    timeout: 120_000,
  }, async () => {
    const topic = newName("sent");
    let isAway = true;
    const { pathname, origin } = new URL(server.url);
    await using front = await Front.open(() => (isAway ? { status: 503, body: {} } : undefined), origin);
    const waited: string[] = [];
    const summary = await send(topic, `${front.url("ann:secret-word@")}${pathname}`, (event) => {
      if (event.event !== "waiting") return;
      waited.push(event.text);
      isAway = false;
    });
    expect(summary).toMatchObject({ read: 2, rejected: 0, balanced: true });
    expect(waited).toEqual([expect.stringMatching(/ann:\*\*\*@.* answers 503/) as string]);
    const schema = await (await fetch(`${server.url}/subjects/${topic}-value/versions/latest`)).json();
    expect((schema as { schema: string }).schema).toContain('"logicalType":"timestamp-micros"');
    const to = `duckdb:${place.path("read.db")}`;
    const options = { format: "avro", registry: server.url } as const;
    await run(pipeline("read").from(`${kafka.url}/${topic}`, options).check(orders).to(to));
    const sql = "select id, amount::varchar as amount, note, tags::varchar as tags from orders order by id";
    const { stdout } = await place.millrace("query", to, sql, "--json");
    expect(JSON.parse(stdout)).toEqual([
      { id: 1, amount: "12.50", note: null, tags: "[1,2]" },
      { id: 2, amount: "0.01", note: "n", tags: null },
    ]);
  });

  test("stay where they are when the registry refuses their schema", { timeout: 120_000 }, async () => {
    const topic = newName("refused");
    const client = schemaRegistry(server.url, context);
    await client.register(
      `${topic}-value`,
      JSON.stringify({ ...older, name: "orders", fields: [{ name: "id", type: "string" }] }),
    );
    const body = JSON.stringify({ compatibility: "BACKWARD" });
    await fetch(`${server.url}/config/${topic}-value`, {
      method: "PUT",
      body,
      headers: { "content-type": "application/json" },
    });
    await expect(send(topic, server.url)).rejects.toMatchObject({ code: "SCHEMA_REFUSED" });
    const log = logAt(kafka.url, topic);
    await log.open();
    expect((await log.lanes()).map(({ start, end }) => end - start)).toEqual([0n]);
    await log.close();
  });
}

test("a source says which formats its records may have", async () => {
  const folder = await mkdtemp(join(tmpdir(), "millrace-formats-"));
  const session = await Session.open({ notice: () => undefined });
  try {
    const read = (source: object) =>
      session.source(
        pipeline("orders")
          .from(`log:${join(folder, "log")}`, source)
          .check(orders)
          .to("duckdb:x.db"),
        orders,
        false,
      );
    for (const source of [{ format: "avro" }, { registry: "http://host" }, { format: "csv" }]) {
      await expect(read(source)).rejects.toMatchObject({ code: "PIPELINE_INVALID" });
    }
    await expect(read({ format: "avro", registry: "ftp://host" })).rejects.toMatchObject({ code: "SCHEME_UNKNOWN" });
    for (const sink of [{ format: "avro" }, { registry: "http://host" }] as const) {
      await expect(session.sink(`log:${join(folder, "log")}`, { ...sink, state: "duckdb:x.db" })).rejects.toMatchObject(
        {
          code: "PIPELINE_INVALID",
        },
      );
    }
    await expect(session.sink("duckdb:x.db", { registry: "http://host" })).rejects.toMatchObject({
      code: "PIPELINE_INVALID",
    });
  } finally {
    await session.close();
    await rm(folder, { recursive: true, force: true });
  }
});
