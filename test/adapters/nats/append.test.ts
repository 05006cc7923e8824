import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { KeptRecord, LogRecord } from "../../../src/ports/log.ts";
import { startNats } from "../../servers/nats.ts";
import { describeWith } from "../../servers/not-run.ts";
import type { RestartableServer } from "../../servers/server.ts";
import { explained, failure, firstLane, readAll, readSome, record, textOf, until, valuesOf } from "../brokers/scene.ts";
import { freshName, makeLog, removeLog, withLog, withStreams } from "./scene.ts";

describeWith("nats", "appending to JetStream", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(() => server?.stop());

  const place = (query = "lanes=3"): { name: string; url: string } => {
    const name = freshName();
    return { name, url: `${server.url}/${name}?${query}` };
  };

  it("keeps every byte of keys, values and ids, and the time", async () => {
    const { url } = place("lanes=1");
    const records: LogRecord[] = [
      { key: randomBytes(300), value: randomBytes(1000), id: "plain-1", timeMs: 1_700_000_000_001 },
      { key: new Uint8Array(0), value: new Uint8Array(0), id: "", timeMs: 0 },
      { value: Uint8Array.of(0, 13, 10, 255), id: " blank\r\n é 日本 %41 ", timeMs: 1.5 },
      { key: Uint8Array.of(32, 37, 13, 10, 128), value: Uint8Array.of(1), timeMs: 5 },
    ];
    await withLog(url, async (log) => {
      // One by one: those without a key of the same lane have no order among each other.
      for (const one of records) await log.append([one]);
      const kept = await readSome(log, await firstLane(log), 4);
      const bytes = (some: Uint8Array | undefined) => (some === undefined ? undefined : Buffer.from(some));
      const plain = ({ key, value, id, timeMs }: LogRecord) => ({ key: bytes(key), value: bytes(value), id, timeMs });
      expect(kept.map(plain)).toEqual(records.map(plain));
      expect(kept.map(({ offset }) => offset)).toEqual([1n, 2n, 3n, 4n]);
    });
  });

  it("stores a record once that is appended again with its id", async () => {
    await withLog(place().url, async (log) => {
      for (let time = 0; time < 3; time += 1) {
        await log.append([record("keyed", "k", "same"), record("free", undefined, "other")]);
      }
      expect([...(await readAll(log)).values()].flat().length).toBe(2);
    });
  });

  it("keeps the order of each key, however many are appended at once", async () => {
    await withLog(place().url, async (log) => {
      const values = Array.from({ length: 6_000 }, (_, index) => index);
      const appends = [0, 1, 2].map((part) =>
        log.append(values.slice(part * 2_000, (part + 1) * 2_000).map((n) => record(String(n), `key ${n % 7}`))),
      );
      await Promise.all(appends);
      const kept = [...(await readAll(log)).values()].flat();
      expect(kept.length).toBe(6_000);
      for (let key = 0; key < 7; key += 1) {
        const own = kept.filter((one) => textOf(one.key) === `key ${key}`);
        expect(valuesOf(own)).toEqual(values.filter((n) => n % 7 === key).map(String));
      }
    });
  });

  it("makes lanes anew that were removed meanwhile, and appends to them in order", async () => {
    const { name, url } = place();
    await withLog(url, async (log) => {
      await log.append([record("before", "a")]);
      await removeLog(server.url, name);
      await log.append(Array.from({ length: 500 }, (_, index) => record(String(index), `key ${index % 5}`)));
      const kept = [...(await readAll(log)).values()].flat();
      expect(kept.length).toBe(500);
      const own = kept.filter((one) => textOf(one.key) === "key 3");
      expect(valuesOf(own)).toEqual(Array.from({ length: 100 }, (_, index) => String(index * 5 + 3)));
    });
  });

  it("agrees with processes that create the log at the same time with other numbers of lanes", async () => {
    const name = freshName();
    const logs = [3, 5, 2, 3].map((lanes) => makeLog(`${server.url}/${name}?lanes=${lanes}`));
    try {
      await Promise.all(logs.map((log) => log.open()));
      const lanes = await Promise.all(logs.map((log) => log.lanes()));
      expect(new Set(lanes.map((some) => JSON.stringify(some, (_, value: unknown) => String(value)))).size).toBe(1);
      await Promise.all(logs.map((log, index) => log.append([record(`by ${index}`, "one key")])));
      const kept = [...(await readAll(logs[0] ?? makeLog(""))).values()].filter((some) => some.length > 0);
      expect(kept.map((some) => some.length)).toEqual([4]);
    } finally {
      for (const log of logs) await log.close();
    }
  });

  it("appends the largest values, and refuses larger ones before anything is appended", async () => {
    await withLog(place("lanes=1").url, async (log) => {
      const large = { key: Buffer.from("k"), value: randomBytes(log.facts.valueBytesMax), id: "large", timeMs: 1 };
      await log.append([large, large, record("small")]);
      const kept = await readSome(log, await firstLane(log), 2);
      expect(kept.some(({ value }) => Buffer.compare(value, large.value) === 0)).toBe(true);
      const larger = { value: randomBytes(1_048_577), timeMs: 1 };
      const refused = await explained(log, log.append([record("not there"), larger]));
      expect([refused.code, log.classify(refused)]).toEqual(["SINK_REFUSED", "stop"]);
      expect(valuesOf([...(await readAll(log)).values()].flat())).not.toContain("not there");
    });
  });

  it("is full when a lane is, before anything is appended, until there is room again", async () => {
    const { name, url } = place("lanes=1&max=1MB");
    await withLog(url, async (log) => {
      const some = Array.from({ length: 10 }, (_, index) => ({ ...record(String(index)), value: randomBytes(64_000) }));
      await log.append(some);
      const full = await explained(log, log.append(some));
      expect([full.code, log.classify(full)]).toEqual(["SINK_FULL", "wait"]);
      expect((await firstLane(log)).end).toBe(11n);
      await withStreams(server.url, ({ streams }) => streams.purge(`${name}-0`, { seq: 9 }));
      await until(
        () =>
          log.append(some).then(
            () => true,
            () => false,
          ),
        "room",
      );
      expect(await firstLane(log)).toMatchObject({ start: 9n, end: 21n });
    });
  });

  it("says so when the room ends in the middle of an append, as others have taken it", async () => {
    const { name, url } = place("lanes=1&max=1MB");
    await withLog(url, async (log) => {
      await log.append([record("first")]);
      await withStreams(server.url, async (_, nats) => {
        for (let index = 0; index < 9; index += 1) nats.publish(`${name}.0`, randomBytes(100_000));
        await nats.flush();
      });
      const some = Array.from({ length: 4 }, (_, index) => ({ ...record(String(index)), value: randomBytes(60_000) }));
      const error = await explained(log, log.append(some));
      expect([error.code, log.classify(error)]).toEqual(["SINK_BUSY", "wait"]);
      expect((await explained(log, log.append(some))).code).toBe("SINK_FULL");
    });
  });

  it("writes to a stream of one subject that others made, and refuses one of several", async () => {
    const name = freshName();
    const other = freshName();
    await withStreams(server.url, async ({ streams }) => {
      await streams.add({ name, subjects: [`${name}.in`] });
      await streams.add({ name: other, subjects: [`${other}.>`] });
    });
    await withLog(`${server.url}/${name}`, async (log) => {
      await log.append([record("to one subject", "k")]);
      expect(valuesOf(await readSome(log, await firstLane(log), 1))).toEqual(["to one subject"]);
      expect((await log.lanes()).length).toBe(1);
    });
    await withLog(`${server.url}/${other}`, async (log) => {
      expect((await explained(log, log.append([record("nowhere")]))).code).toBe("SINK_REFUSED");
    });
  });

  it("fails what is under way when it is closed no sooner than it is confirmed, and then takes nothing", async () => {
    const { url } = place();
    const log = makeLog(url);
    await log.open();
    const appending = log.append(Array.from({ length: 3_000 }, (_, index) => record(String(index), `${index % 100}`)));
    await new Promise((resolve) => setImmediate(resolve));
    await log.close();
    await appending;
    expect(log.explain(await failure(log.append([record("late")])))).toMatchObject({ code: "INTERRUPTED" });
    await withLog(url, async (again) => {
      const kept: KeptRecord[] = [...(await readAll(again)).values()].flat();
      expect(kept.length).toBe(3_000);
    });
  });
});
