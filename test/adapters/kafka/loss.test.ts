import { afterAll, beforeAll, expect, test } from "vitest";
import { limit } from "../../../src/core/limit.ts";
import { type KafkaServer, startKafka } from "../../servers/kafka.ts";
import { describeWith } from "../../servers/not-run.ts";
import { freePort, HOST } from "../../servers/place.ts";
import { LossyProxy } from "./lossy-proxy.ts";
import { newName, numberOf, recordOf, Scene, take, takeAll, until } from "./scene.ts";

describeWith("kafka", "a network that loses answers, and delivers late", () => {
  let server: KafkaServer;
  let proxy: LossyProxy;
  let scene: Scene;

  beforeAll(async () => {
    const port = await freePort();
    // Whoever asks the broker where it is, is sent to the proxy.
    server = await startKafka({ settings: { "advertised.listeners": `PLAINTEXT://${HOST}:${port}` } });
    proxy = await LossyProxy.listen(port);
    proxy.target = Number(new URL(server.url).port);
    scene = new Scene({ url: `kafka://${HOST}:${port}` });
  });
  afterAll(async () => {
    proxy.loseEvery = 0;
    await scene[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    await server.stop();
  });

  test("records whose answers are lost are written once, in order, and confirmed in the end", async () => {
    const log = await scene.open(newName(), "partitions=2");
    proxy.loseEvery = 3;
    const count = 200;
    await Promise.all(
      Array.from({ length: count / 10 }, async (_, caller) => {
        for (let index = 0; index < 10; index += 1)
          await log.append([recordOf(caller + index * (count / 10), count / 10)]);
      }),
    );
    proxy.loseEvery = 0;
    expect(proxy.lost).toBeGreaterThan(5);
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
    proxy.loseEvery = 9;
    const before = proxy.lost;
    while (proxy.lost < before + 5) {
      const taken = await Promise.all(lanes.map((lane) => take(log, lane, Number(lane.end))));
      const numbers = taken.flat().map(numberOf);
      expect(numbers.sort((one, other) => one - other)).toEqual(Array.from({ length: count }, (_, number) => number));
    }
    proxy.loseEvery = 0;
  }, 90_000);

  test("an append that was given up, and arrives at the broker behind later ones, is not let in", async () => {
    const log = await scene.open(newName(), "partitions=1&timeout_ms=2000");
    await log.append([recordOf(0, 1)]);
    proxy.hold();
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
    proxy.release();
    await log.append([recordOf(number + 1, 1)]);
    await log.append([recordOf(number + 2, 1)]);
    const seen = [...(await takeAll(log)).values()].flat().map(numberOf);
    expect(seen).toEqual([0, number, number + 1, number + 2]);
  }, 90_000);
});
