import { afterAll, beforeAll, expect, test } from "vitest";
import { limit } from "../../../src/core/limit.ts";
import { type KafkaServer, startKafka } from "../../servers/kafka.ts";
import { describeWith } from "../../servers/not-run.ts";
import { freePort, HOST } from "../../servers/place.ts";
import { LossyWire } from "./lossy-wire.ts";
import { newName, numberOf, recordOf, Scene, take, takeAll, until } from "./scene.ts";

describeWith("kafka", "a network that loses answers, and delivers late", () => {
  let server: KafkaServer;
  let wire: LossyWire;
  let scene: Scene;

  beforeAll(async () => {
    const port = await freePort();
    // Whoever asks the broker where it is, is sent to the wire between.
    server = await startKafka({ settings: { "advertised.listeners": `PLAINTEXT://${HOST}:${port}` } });
    wire = await LossyWire.listen(port);
    wire.target = Number(new URL(server.url).port);
    scene = new Scene({ url: `kafka://${HOST}:${port}` });
  });
  afterAll(async () => {
    wire.loseEvery = 0;
    await scene[Symbol.asyncDispose]();
    await wire[Symbol.asyncDispose]();
    await server.stop();
  });

  test("records whose answers are lost are written once, in order, and confirmed in the end", async () => {
    const log = await scene.open(newName(), "partitions=2");
    wire.loseEvery = 3;
    const count = 200;
    await Promise.all(
      Array.from({ length: count / 10 }, async (_, caller) => {
        for (let index = 0; index < 10; index += 1)
          await log.append([recordOf(caller + index * (count / 10), count / 10)]);
      }),
    );
    wire.loseEvery = 0;
    expect(wire.lost).toBeGreaterThan(5);
    const lanes = await takeAll(log);
    const seen = [...lanes.values()].flat().map(numberOf);
    expect(seen).toHaveLength(count);
    for (const records of lanes.values()) {
      const last = new Map<string, number>();
      for (const record of records) {
        const key = Buffer.from(record.key ?? []).toString();
        expect(numberOf(record)).toBeGreaterThan(last.get(key) ?? -1);
        last.set(key, numberOf(record));
      }
    }
  }, 90_000);

  test("what is read comes whole and once though connections are lost", async () => {
    const log = await scene.open(newName(), "partitions=2");
    const count = 1_000;
    await log.append(Array.from({ length: count }, (_, number) => recordOf(number, 10, "x".repeat(100))));
    const lanes = await log.lanes();
    wire.loseEvery = 9;
    const before = wire.lost;
    while (wire.lost < before + 5) {
      const taken = await Promise.all(lanes.map((lane) => take(log, lane, Number(lane.end))));
      const numbers = taken.flat().map(numberOf);
      expect(numbers.sort((one, other) => one - other)).toEqual(Array.from({ length: count }, (_, number) => number));
    }
    wire.loseEvery = 0;
  }, 90_000);

  test("an append that was given up, and arrives at the broker behind later ones, is not let in", async () => {
    const log = await scene.open(newName(), "partitions=1&timeout_ms=2000");
    await log.append([recordOf(0, 1)]);
    wire.hold();
    const [outcome] = await Promise.allSettled([log.append([recordOf(1, 1)])]);
    expect(outcome.status).toBe("rejected");
    // Until the client gives the connection up, it may still be confirmed on it.
    let number = 1;
    const isConfirmed = async (): Promise<boolean> => {
      number += 1;
      const [again] = await Promise.allSettled([log.append([recordOf(number, 1)])]);
      return again.status === "fulfilled";
    };
    await until("an append is confirmed on a new connection", isConfirmed, 2 * limit.kafkaRequestMs);
    wire.release();
    await log.append([recordOf(number + 1, 1)]);
    await log.append([recordOf(number + 2, 1)]);
    const seen = [...(await takeAll(log)).values()].flat().map(numberOf);
    expect(seen).toEqual([0, number, number + 1, number + 2]);
  }, 90_000);
});
