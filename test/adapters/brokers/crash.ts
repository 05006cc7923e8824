// Kills the server of a log while records are appended and read.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { KeptRecord, Log } from "../../../src/ports/log.ts";
import type { ServerName } from "../../servers/index.ts";
import { describeWith } from "../../servers/not-run.ts";
import type { RestartableServer } from "../../servers/server.ts";
import { context, failure, readAll, record, textOf, until } from "./scene.ts";

/** One after another, records of a few keys of its own, until it is stopped; what fails is appended again as it was. */
class Producer {
  readonly confirmed: string[] = [];
  failures = 0;
  readonly #log: Log;
  readonly #name: string;
  #isStopped = false;
  readonly ended: Promise<void>;

  constructor(log: Log, name: string) {
    this.#log = log;
    this.#name = name;
    this.ended = this.#run();
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #run(): Promise<void> {
    for (let number = 0; !this.#isStopped; number += 20) {
      const some = Array.from({ length: 20 }, (_, index) => {
        const id = `${this.#name}-${number + index}`;
        return record(String(number + index), `${this.#name} ${index % 3}`, id);
      });
      await this.#append(some);
      this.confirmed.push(...some.map(({ id = "" }) => id));
    }
  }

  async #append(some: ReturnType<typeof record>[]): Promise<void> {
    for (;;) {
      try {
        await this.#log.append(some);
        return;
      } catch (error) {
        if (this.#log.classify(error) !== "wait") throw error;
        this.failures += 1;
        await context.pause(50);
      }
    }
  }
}

/** The first of each id, as a reader takes them. */
function withoutRepeats(records: readonly KeptRecord[]): KeptRecord[] {
  const ids = new Set<string | undefined>();
  return records.filter(({ id }) => !ids.has(id) && ids.add(id));
}

function checkOrder(records: readonly KeptRecord[]): void {
  const last = new Map<string, number>();
  for (const { key, value } of records) {
    const number = Number(textOf(value));
    expect(number, `behind ${last.get(textOf(key))} of ${textOf(key)}`).toBeGreaterThan(last.get(textOf(key)) ?? -1);
    last.set(textOf(key), number);
  }
}

export interface KilledServer {
  readonly service: ServerName;
  readonly start: () => Promise<RestartableServer>;
  /** Not yet opened; each time another process of the same place. */
  readonly makeLog: (server: RestartableServer, place: string) => Log;
}

/** Registers the tests. */
export function killedServerTests({ service, start, makeLog }: KilledServer): void {
  describeWith(service, `a ${service} server that is killed`, () => {
    let server: RestartableServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server?.stop());

    it("has every confirmed record once, each key in order, and readers go on where they were", async () => {
      const [log, readers] = [makeLog(server, "one"), makeLog(server, "one")];
      await log.open();
      await readers.open();
      const stop = new AbortController();
      const read = new Map<string, KeptRecord[]>();
      const readings = (await readers.lanes()).map(async (lane) => {
        const records: KeptRecord[] = [];
        read.set(lane.name, records);
        for await (const piece of readers.read(lane, lane.start, stop.signal)) records.push(...piece);
      });
      const producers = Array.from({ length: 6 }, (_, index) => new Producer(log, `p${index}`));
      const confirmed = (): number => producers.reduce((sum, producer) => sum + producer.confirmed.length, 0);
      for (let death = 0; death < 4; death += 1) {
        const before = confirmed();
        await until(() => confirmed() > before + 500, "records to be confirmed");
        await server.kill9();
        await server.start();
      }
      const before = confirmed();
      await until(() => confirmed() > before + 500, "records to be confirmed again");
      for (const producer of producers) producer.stop();
      await Promise.all(producers.map(({ ended }) => ended));
      expect(producers.some(({ failures }) => failures > 0)).toBe(true);

      const all = await readAll(log);
      const kept = withoutRepeats([...all.values()].flat());
      const ids = new Set(kept.map(({ id }) => id));
      expect(producers.flatMap((producer) => producer.confirmed).filter((id) => !ids.has(id))).toEqual([]);
      for (const records of all.values()) checkOrder(withoutRepeats(records));

      const total = [...all.values()].flat().length;
      await until(() => [...read.values()].flat().length >= total, "the readers");
      stop.abort();
      await Promise.all(readings);
      const offsets = (records: readonly KeptRecord[] = []) => records.map(({ offset }) => offset);
      for (const [lane, records] of all) expect(offsets(read.get(lane))).toEqual(offsets(records));
      await log.close();
      await readers.close();
    }, 90_000);

    it("is waited for by readers, and appends fail with what passes", async () => {
      const log = makeLog(server, "other");
      await log.open();
      await log.append([record("before", "k")]);
      await server.kill9();
      const error: unknown = await log.append([record("meanwhile", "k")]).catch((thrown: unknown) => thrown);
      expect(log.classify(error)).toBe("wait");
      expect(log.explain(error)).toMatchObject({ code: "SINK_UNREACHABLE" });
      expect(log.classify(await failure(log.lanes()))).toBe("wait");
      await server.start();
      await log.append([record("after", "k")]);
      expect([...(await readAll(log)).values()].flat().map(({ value }) => textOf(value))).toEqual(["before", "after"]);
      await log.close();
    }, 60_000);
  });
}
