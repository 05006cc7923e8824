import { randomBytes } from "node:crypto";
import { headers } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { limit } from "../../../src/core/limit.ts";
import { LaneReplaced, RecordsGone } from "../../../src/ports/log.ts";
import { startNats } from "../../servers/nats.ts";
import { describeWith } from "../../servers/not-run.ts";
import type { RestartableServer } from "../../servers/server.ts";
import {
  Reading,
  explained,
  failure,
  firstLane,
  readSome,
  record,
  textOf,
  until,
  valuesOf,
  within,
} from "../brokers/scene.ts";
import { freshName, removeLog, withLog, withStreams } from "./scene.ts";

describeWith("nats", "reading from JetStream", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(() => server?.stop());

  const place = (query = "lanes=1"): { name: string; url: string; stream: string } => {
    const name = freshName();
    return { name, url: `${server.url}/${name}?${query}`, stream: `${name}-0` };
  };
  const numbers = (count: number, from = 0) =>
    Array.from({ length: count }, (_, index) => record(`${from + index}`, "k"));

  it("leaves no consumer behind, and ends when the signal aborts", async () => {
    const { url, stream } = place();
    const consumers = () =>
      withStreams(server.url, async (manager) => (await manager.streams.info(stream)).state.consumer_count);
    await withLog(url, async (log) => {
      await log.append(numbers(3));
      const one = new Reading(log, await firstLane(log));
      await until(() => one.records.length === 3, "three records");
      expect(await consumers()).toBe(1);
      await one.stop();
      expect(await consumers()).toBe(0);
    });
  });

  it("hands out pieces of about the size of the limit, and values larger than that", async () => {
    await withLog(place().url, async (log) => {
      const sizes = [log.facts.valueBytesMax, 10, log.facts.valueBytesMax, 600_000, 600_000, 5];
      for (const size of sizes) await log.append([{ value: randomBytes(size), timeMs: 1 }]);
      const kept: number[] = [];
      for await (const piece of log.read(await firstLane(log), 0n, new AbortController().signal)) {
        const bytes = piece.reduce((sum, { value }) => sum + value.length, 0);
        expect(piece.length === 1 || bytes <= limit.logPieceBytes).toBe(true);
        kept.push(...piece.map(({ value }) => value.length));
        if (kept.length === sizes.length) break;
      }
      expect(kept).toEqual(sizes);
    });
  });

  it("does not fetch far ahead of what is taken", async () => {
    const { url, stream } = place();
    await withLog(url, async (log) => {
      for (let round = 0; round < 20; round += 1) {
        await log.append(Array.from({ length: 10 }, () => ({ value: randomBytes(100_000), timeMs: 1 })));
      }
      const pieces = log.read(await firstLane(log), 0n, new AbortController().signal)[Symbol.asyncIterator]();
      await pieces.next();
      const delivered = (): Promise<number> =>
        withStreams(server.url, async ({ consumers }) => {
          const [consumer] = await consumers.list(stream).next();
          return consumer?.delivered.stream_seq ?? 0;
        });
      let before = 0;
      await until(async () => before === (before = await delivered()) && before > 0, "the end of fetching");
      expect(await delivered()).toBeLessThan(50);
      await pieces.return?.();
    });
  });

  it("says what is gone when records were trimmed, before or while they are read", async () => {
    const { url, stream } = place();
    await withLog(url, async (log) => {
      await log.append(numbers(10));
      const lane = await firstLane(log);
      await withStreams(server.url, ({ streams }) => streams.purge(stream, { seq: 6 }));
      expect(await failure(readSome(log, lane, 1, 2n))).toMatchObject({ lane: "0", wanted: 2n, start: 6n });
      expect(valuesOf(await readSome(log, lane, 5, 6n))).toEqual(["5", "6", "7", "8", "9"]);
      expect(await firstLane(log)).toMatchObject({ start: 6n, end: 11n });

      const pieces = log.read(lane, 11n, new AbortController().signal)[Symbol.asyncIterator]();
      await log.append(numbers(1, 10));
      expect(await pieces.next()).toMatchObject({ value: [{ offset: 11n }] });
      // What the reader at the end has not asked for is trimmed before it does.
      await server.halt();
      await server.start();
      await withStreams(server.url, async ({ streams }, nats) => {
        for (let index = 0; index < 4; index += 1) await nats.request(`${stream.slice(0, -2)}.0`, String(index));
        await streams.purge(stream, { seq: 15 });
      });
      const gone = await failure(within(pieces.next(), "records that are gone"));
      expect(gone).toMatchObject({ lane: "0", wanted: 12n, start: 15n });
      expect(gone).toBeInstanceOf(RecordsGone);
    });
  }, 60_000);

  it("says that a lane with nothing left is empty, and where it goes on", async () => {
    const { url, stream } = place();
    await withLog(url, async (log) => {
      await log.append(numbers(3));
      await withStreams(server.url, ({ streams }) => streams.purge(stream));
      expect(await firstLane(log)).toMatchObject({ start: 4n, end: 4n });
      const one = new Reading(log, await firstLane(log));
      await log.append(numbers(1, 3));
      await until(() => one.records.length === 1, "the record behind");
      expect(one.records[0]?.offset).toBe(4n);
      await one.stop();
    });
  });

  it("skips records that were removed one by one", async () => {
    const { url, stream } = place();
    await withLog(url, async (log) => {
      await log.append(numbers(5));
      await withStreams(server.url, ({ streams }) => streams.deleteMessage(stream, 3));
      expect((await readSome(log, await firstLane(log), 4)).map(({ offset }) => offset)).toEqual([1n, 2n, 4n, 5n]);
    });
  });

  it("ends with LaneReplaced when the log was made anew, while it waits and before", async () => {
    const { name, url } = place();
    await withLog(url, async (log) => {
      await log.append(numbers(3));
      const lane = await firstLane(log);
      const waiting = new Reading(log, lane, 4n);
      await until(() => waiting.records.length === 0, "a reader");
      await removeLog(server.url, name);
      await log.open();
      await log.append(numbers(8, 100));
      expect(await failure(within(waiting.ended, "the end of the old lane"))).toBeInstanceOf(LaneReplaced);
      expect(waiting.records).toEqual([]);
      expect(await failure(readSome(log, lane, 1, 4n))).toBeInstanceOf(LaneReplaced);
      expect(valuesOf(await readSome(log, await firstLane(log), 8))[0]).toBe("100");
    });
  });

  it("stops at a position behind the end, where records were lost that it had read", async () => {
    await withLog(place().url, async (log) => {
      await log.append(numbers(3));
      const error = await explained(log, readSome(log, await firstLane(log), 1, 5n));
      expect([error.code, log.classify(error)]).toEqual(["SINK_REFUSED", "stop"]);
    });
  });

  it("reads what others have published, to streams of any subjects", async () => {
    const name = freshName();
    await withStreams(server.url, async ({ streams }, nats) => {
      await streams.add({ name, subjects: [`${name}.>`] });
      await nats.request(`${name}.one`, "plain");
      const given = headers();
      given.set("Nats-Msg-Id", "their id %zz");
      given.set("Millrace-Time", "never");
      await nats.request(`${name}.two.three`, "with an id", { headers: given, timeout: 1_000 });
    });
    await withLog(`${server.url}/${name}?lanes=5`, async (log) => {
      const [plain, other] = await readSome(log, await firstLane(log), 2);
      expect([plain?.key, plain?.id, textOf(plain?.value)]).toEqual([undefined, undefined, "plain"]);
      expect([other?.id, textOf(other?.value)]).toEqual(["their id %zz", "with an id"]);
      expect(Math.abs((other?.timeMs ?? 0) - Date.now())).toBeLessThan(60_000);
    });
  });

  it("goes on when its consumer is removed", async () => {
    const { url, stream } = place();
    await withLog(url, async (log) => {
      await log.append(numbers(3));
      const one = new Reading(log, await firstLane(log));
      await until(() => one.records.length === 3, "three records");
      await withStreams(server.url, async ({ consumers }) => {
        for await (const { name } of consumers.list(stream)) await consumers.delete(stream, name);
      });
      await log.append(numbers(3, 3));
      await until(() => one.records.length === 6, "three more");
      expect(valuesOf(one.records)).toEqual(["0", "1", "2", "3", "4", "5"]);
      await one.stop();
    });
  });
});
