import { afterAll, beforeAll, expect, test } from "vitest";
import { kafkaLog } from "../../src/adapters/kafka/index.ts";
import { PostgresSink } from "../../src/adapters/postgres/sink.ts";
import { parsePlace } from "../../src/core/place.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { Log } from "../../src/ports/log.ts";
import type { Sink } from "../../src/ports/sink.ts";
import { context as brokerContext, until } from "../adapters/brokers/scene.ts";
import { newName } from "../adapters/kafka/scene.ts";
import { type KafkaServer, startKafka } from "../servers/kafka.ts";
import { describeWith } from "../servers/not-run.ts";
import { freePort, HOST } from "../servers/place.ts";
import { startPostgres } from "../servers/postgres.ts";
import type { Server } from "../servers/server.ts";
import { CutWire } from "./cut-wire.ts";
import { Consumer, expectExactly, numbers, recordsOf } from "./log-consumer.ts";

/** More for a soak run. */
const rounds = Number(process.env["MILLRACE_FAULT_ROUNDS"] ?? 1);
const slowMs = 90_000;
/** Brokers take no shorter one. */
const session = "session_ms=6000";
/** A session that hangs in a transaction is ended after this; the product's own time would make the test wait a minute. */
const waits = { lockMs: 1_000, idleInTransactionMs: 2_000 };

describeWith(
  ["kafka", "postgres"],
  "a consumer that is cut off from brokers and database for longer than its session",
  () => {
    let kafka: KafkaServer;
    let postgres: Server;
    let engine: Engine;
    let toKafka: CutWire;
    let toPostgres: CutWire;
    let through: { readonly kafka: string; readonly postgres: string };

    beforeAll(async () => {
      const [kafkaPort, postgresPort] = [await freePort(), await freePort()];
      // Whoever asks the broker where it is, is sent to the wire between, which tells the two consumers apart.
      kafka = await startKafka({ settings: { "advertised.listeners": `PLAINTEXT://${HOST}:${kafkaPort}` } });
      toKafka = await CutWire.listen(kafkaPort, { of: "cut-off" });
      toKafka.target = Number(new URL(kafka.url).port);
      postgres = await startPostgres();
      toPostgres = await CutWire.listen(postgresPort);
      const url = new URL(postgres.url);
      toPostgres.target = Number(url.port);
      url.port = String(postgresPort);
      through = { kafka: `kafka://${HOST}:${kafkaPort}`, postgres: url.href };
      engine = await Engine.open({ memoryBytes: 192 * 2 ** 20, threads: 1 });
    });
    afterAll(async () => {
      await engine?.close();
      await toKafka?.[Symbol.asyncDispose]();
      await toPostgres?.[Symbol.asyncDispose]();
      await kafka?.stop();
      await postgres?.stop();
    });

    const logOf = (topic: string, client: string): Log =>
      kafkaLog(parsePlace(`${through.kafka}/${topic}?partitions=4&client_id=${client}&${session}`), brokerContext);

    const consume = (topic: string, client: string, to: string): Consumer => {
      const context = { ...brokerContext, engine };
      const sink = new PostgresSink(parsePlace(to), {}, context, waits);
      return new Consumer({ log: logOf(topic, client), sink, engine });
    };

    const rowsIn = async (sink: Sink): Promise<number> => {
      for await (const [row] of sink.query("select count(*)::int as count from readings"))
        return Number(row?.["count"]);
      return 0;
    };

    test.each([
      { moment: "commit", cutBefore: "commit" },
      // The message by which a client says that this was all of it: until then the server waits for more.
      { moment: "end of a COPY", cutBefore: "c\u0000\u0000\u0000\u0004" },
    ])("before its $moment, is fenced when it wakes up", { timeout: rounds * 240_000 }, async ({ cutBefore }) => {
      for (let round = 0; round < rounds; round += 1) await play(cutBefore);
    });

    async function play(cutBefore: string): Promise<void> {
      const schema = newName("cut");
      const topic = newName("readings");
      const [direct, cut] = [postgres.url, through.postgres].map((url) => `${url}?schema=${schema}`) as [
        string,
        string,
      ];
      const producer = logOf(topic, "producer");
      await producer.open();
      const observer = new PostgresSink(parsePlace(direct), {}, { ...brokerContext, engine }, waits);
      await observer.open();
      const zombie = consume(topic, "cut-off", cut);
      const other = consume(topic, "other", direct);
      try {
        let appended = 0;
        const append = async (): Promise<void> => {
          await producer.append(recordsOf(numbers(appended, 40)));
          appended += 40;
        };
        // Counted where they are: a commit whose answer is lost has loaded rows that nobody has heard of.
        // Neither run may end by itself, whatever happens.
        const run = Promise.race([zombie.ended, other.ended]);
        const soon = (what: string, isSo: () => boolean | Promise<boolean>): Promise<unknown> =>
          Promise.race([until(isSo, what, slowMs), run]);
        const hasAll = async (): Promise<boolean> => (await rowsIn(observer)) >= appended;
        await soon("both to have committed something", async () => {
          await append();
          return zombie.loaded > 0 && other.loaded > 0;
        });

        // Amid a transaction: the server has locked the lane, and hears no more.
        toPostgres.cutBefore(cutBefore);
        await soon("the cut", async () => {
          await append();
          return toPostgres.isCut;
        });
        toKafka.cut();
        const before = zombie.loaded;
        await append();
        await soon("the other one to have everything", hasAll);
        expect(zombie.loaded).toBe(before);

        // What it was about to commit arrives now, and so does that it is too late; it has heard of nothing else.
        toPostgres.heal();
        await soon("the zombie to be fenced", () => zombie.hasSaid("was taken over by another process"));
        const heard = zombie.loaded;
        toKafka.heal();
        await soon("the one that was cut off to take part again", async () => {
          await append();
          return zombie.loaded > heard;
        });
        await soon("everything to be committed", hasAll);
        const ended = await Promise.all([zombie.stop(), other.stop()]);
        expect(ended.map(({ balanced }) => balanced)).toEqual([true, true]);
        await expectExactly(direct, engine, numbers(0, appended));
      } finally {
        toPostgres.heal();
        toKafka.heal();
        await observer.close();
        await Promise.allSettled([zombie.stop(), other.stop(), producer.close()]);
      }
    }
  },
);
