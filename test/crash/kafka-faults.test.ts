import { afterAll, beforeAll, expect, test } from "vitest";
import { Engine } from "../../src/engine/engine.ts";
import type { Log } from "../../src/ports/log.ts";
import { openSink } from "../../src/runtime/schemes.ts";
import { context as brokerContext } from "../adapters/brokers/scene.ts";
import { newName, recreateTopic, Scene, thrown, trimTopic } from "../adapters/kafka/scene.ts";
import { type KafkaServer, startKafka } from "../servers/kafka.ts";
import { describeWith } from "../servers/not-run.ts";
import { temporaryFolder } from "./crash-place.ts";
import { Consumer, expectExactly, numbers, recordsOf } from "./log-consumer.ts";

/** More for a soak run. */
const rounds = Number(process.env["MILLRACE_FAULT_ROUNDS"] ?? 2);
const timeout = rounds * 120_000;

/** A topic of its own, and a DuckDB file. */
class Round implements Disposable {
  readonly topic = newName("readings");
  readonly to: string;
  readonly #folder = temporaryFolder();
  readonly #scene: Scene;
  readonly #engine: Engine;
  #next = 0;

  constructor(scene: Scene, engine: Engine) {
    this.#scene = scene;
    this.#engine = engine;
    this.to = `duckdb:${this.#folder.path}/r.db`;
  }

  /** Numbers that were appended. */
  get appended(): readonly number[] {
    return numbers(0, this.#next);
  }

  async append(log: Log, count: number): Promise<void> {
    await log.append(recordsOf(numbers(this.#next, count)));
    this.#next += count;
  }

  async consume(whenGone: "fail" | "skip" = "fail"): Promise<Consumer> {
    const context = { ...brokerContext, engine: this.#engine };
    const sink = await openSink(this.to, {}, context);
    return new Consumer({ log: this.#scene.log(this.topic), sink, engine: this.#engine, whenGone });
  }

  /** The numbers in the table are these, each once, in a ledger that balances. */
  async expectExactly(wanted: readonly number[]): Promise<void> {
    await expectExactly(this.to, this.#engine, wanted);
  }

  /** As if the log had lost its newest records: the position lies behind its end. */
  async putPositionsAhead(): Promise<void> {
    const connection = await this.#engine.connect();
    try {
      await connection.run(`attach '${this.to.slice("duckdb:".length)}' as ahead`);
      await connection.run(`update ahead.millrace_checkpoint set position = '{"row":1,"offset":"1000000"}'`);
      await connection.run("detach ahead");
    } finally {
      connection.close();
    }
  }

  [Symbol.dispose](): void {
    this.#folder.remove();
  }
}

describeWith("kafka", "a pipeline that follows a topic to which things happen", () => {
  let server: KafkaServer;
  let scene: Scene;
  let engine: Engine;
  beforeAll(async () => {
    server = await startKafka();
    scene = new Scene(server);
    engine = await Engine.open({ memoryBytes: 192 * 2 ** 20, threads: 1 });
  });
  afterAll(async () => {
    await scene?.[Symbol.asyncDispose]();
    await engine?.close();
    await server?.stop();
  });

  const each = async (play: (round: Round) => Promise<void>): Promise<void> => {
    for (let count = 0; count < rounds; count += 1) {
      using round = new Round(scene, engine);
      await play(round);
    }
  };

  test("partitions that are added are read from their start, while records come", { timeout }, () =>
    each(async (round) => {
      const log = await scene.open(round.topic, "partitions=2");
      const consumer = await round.consume();
      await round.append(log, 100);
      await consumer.until("the first records are committed", () => consumer.loaded > 0);
      await scene.admin((admin) => admin.createPartitions({ topics: [{ name: round.topic, count: 5 }] }));
      await consumer.until("records are in the new partitions", async () => {
        await round.append(log, 20);
        return (await log.lanes()).filter(({ name, end }) => Number(name) > 1 && end > 0n).length === 3;
      });
      await consumer.until("all is committed", () => consumer.loaded >= round.appended.length);
      expect(await consumer.stop()).toMatchObject({ balanced: true, loaded: round.appended.length });
      await round.expectExactly(round.appended);
    }),
  );

  test("a topic that is deleted and made anew is read from its start, and that is said", { timeout }, () =>
    each(async (round) => {
      const log = await scene.open(round.topic, "partitions=2");
      const consumer = await round.consume();
      await round.append(log, 100);
      await consumer.until("the records are committed", () => consumer.loaded === 100);
      await recreateTopic(server.url, round.topic, 3);
      // Fewer than there were: offsets of the old one would leave them out.
      await round.append(log, 60);
      await consumer.until("those of the new topic are committed", () => consumer.loaded >= 160);
      expect(consumer.hasSaid("was made anew")).toBe(true);
      expect(await consumer.stop()).toMatchObject({ balanced: true, loaded: 160 });
      await round.expectExactly(round.appended);
    }),
  );

  test("an offset that is out of range is said, and its lane alone stands still or goes on as told", { timeout }, () =>
    each(async (round) => {
      const log = await scene.open(round.topic, "partitions=2");
      const first = await round.consume();
      await round.append(log, 100);
      await first.until("the records are committed", () => first.loaded === 100);
      await first.stop();
      await round.append(log, 100);
      const [lane, other] = await log.lanes();
      if (lane === undefined || other === undefined) throw new Error("there are two lanes");
      const before = await lastCommitted(round, lane.name);
      await trimTopic(server.url, round.topic, lane, before + 10n);

      const strict = await round.consume();
      const left = Number(other.end - (await lastCommitted(round, other.name)));
      await strict.until("it is said", () =>
        strict.hasSaid(`only from offset ${before + 10n} on, and ${before} is next`),
      );
      await strict.until("the other lane is read", () => strict.loaded >= left);
      expect((await strict.stop()).loaded).toBe(left);

      const lenient = await round.consume("skip");
      await lenient.until("the rest is committed", () => lenient.loaded >= 100 - left - 10);
      expect(lenient.hasSaid(`does not keep offsets ${before} to ${before + 9n} any more; they are skipped`)).toBe(
        true,
      );
      expect((await lenient.stop()).loaded).toBe(100 - left - 10);

      await round.putPositionsAhead();
      const astray = await round.consume();
      expect(await thrown(() => astray.ended)).toMatchObject({ code: "SINK_REFUSED" });
    }),
  );

  async function lastCommitted(round: Round, lane: string): Promise<bigint> {
    const sink = await openSink(round.to, {}, { ...brokerContext, engine });
    try {
      await sink.open();
      const kept = await sink.records.checkpoints("readings");
      const offset = kept.find(({ source }) => source === `${round.topic}/${lane}`)?.position["offset"];
      if (typeof offset !== "string") throw new Error(`the lane ${lane} has no checkpoint`);
      return BigInt(offset);
    } finally {
      await sink.close();
    }
  }
});
