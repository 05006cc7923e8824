import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { MysqlSink } from "../../../src/adapters/mysql/sink.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { EngineRow } from "../../../src/ports/engine.ts";
import type { Sink } from "../../../src/ports/sink.ts";
import { startMariadb } from "../../servers/mariadb.ts";
import { describeWith } from "../../servers/not-run.ts";
import type { RestartableServer } from "../../servers/server.ts";
import {
  commitBatch,
  context,
  failureOf,
  load,
  makeBatch,
  makeReject,
  makeTarget,
  notices,
  urlWith,
  zero,
} from "../postgres/scene.ts";
import { Proxy } from "./proxy.ts";
import { freshDatabase, makeSink, run } from "./scene.ts";

const target = makeTarget();
const keyed = makeTarget({ mode: "merge", key: ["id"] });
const rowsTo = (count: number): EngineRow[] => Array.from({ length: count }, (_, id) => ({ id, name: `n${id}` }));

describeWith("mariadb", "MariaDB in trouble", () => {
  let server: RestartableServer;
  let sink: Sink;

  beforeAll(async () => {
    server = await startMariadb({
      // Temporary tables have little room, so that it can run out.
      settings: { "innodb-temp-data-file-path": "ibtmp1:12M:autoextend:max:24M" },
    });
  });
  afterAll(() => server.stop());

  beforeEach(async () => {
    await freshDatabase(server.url);
    sink = makeSink(server.url);
    await sink.open();
    return () => sink.close();
  });

  async function counted(table = "t"): Promise<unknown> {
    return (await run(server.url, `select count(*) as n from ${table}`))[0]?.["n"];
  }

  /** Ends every session of Millrace's, as an administrator would. */
  async function endSessions(): Promise<void> {
    const sql = "select id from information_schema.processlist where id <> connection_id() and user = 'millrace'";
    const ids = (await run(server.url, sql)).map((row) => Number(row["id"]));
    // One may have gone by itself meanwhile.
    for (const id of ids) await run(server.url, `kill ${id}`).catch(() => undefined);
  }

  describe("a connection that is lost", () => {
    it("while rows are sent leaves nothing, and the batch can be tried again", async () => {
      let left = 400_000;
      await using proxy = await Proxy.before(server.url, {
        fromClient(bytes, link) {
          left -= bytes.length;
          if (left > 0) return bytes;
          left = Number.POSITIVE_INFINITY;
          link.cut();
          return undefined;
        },
      });
      const cut = makeSink(proxy.url);
      await cut.open();
      await cut.prepare(target);
      const big = rowsTo(20_000).map((row) => ({ ...row, name: "x".repeat(100) }));
      expect(await failureOf(cut, load(cut, target, big))).toMatchObject({ kind: "wait", code: "SINK_UNREACHABLE" });
      expect([await counted(), await counted("millrace_ledger")]).toEqual([0n, 0n]);
      expect(await load(cut, target, big)).toMatchObject({ loaded: 20_000 });
      await cut.close();
    });

    it("between write and commit leaves nothing", async () => {
      await sink.prepare(target);
      const claim = await sink.claim("p", "lane", "a.csv", zero);
      const unit = await sink.begin(target);
      await unit.write(await makeBatch(sink, target, claim, rowsTo(5)));
      await endSessions();
      expect(await failureOf(sink, unit.commit())).toMatchObject({ kind: "wait" });
      await unit.rollback();
      expect(await counted()).toBe(0n);
      expect((await sink.checkpoint("p", "lane"))?.position).toEqual(zero);
    });

    it("while idle is at most a failure to wait for", async () => {
      await sink.prepare(target);
      await endSessions();
      let failed = 0;
      for (let tries = 0; tries < 40; tries += 1) {
        const outcome = await failureOf(sink, load(sink, target, rowsTo(1))).catch(() => undefined);
        if (outcome === undefined) break;
        expect(outcome.kind).toBe("wait");
        failed += 1;
      }
      expect(failed).toBeLessThan(40);
      expect(await counted()).toBe(1n);
    });

    it("by rollback while rows are written ends the statement", async () => {
      await sink.prepare(target);
      const claim = await sink.claim("p", "lane", "a.csv", zero);
      const unit = await sink.begin(target);
      const writing = failureOf(sink, unit.write(await makeBatch(sink, target, claim, rowsTo(50_000))));
      await unit.rollback();
      expect(await writing).toMatchObject({ kind: "wait" });
      expect(await counted()).toBe(0n);
    });

    it("because the server is restarted is waited for", async () => {
      await sink.prepare(target);
      await load(sink, target, rowsTo(2));
      await server.halt();
      const away = await failureOf(sink, sink.claim("p", "lane", "a.csv", zero));
      await server.start();
      expect(away).toMatchObject({ kind: "wait", code: "SINK_UNREACHABLE" });
      const claim = await sink.claim("p", "lane", "a.csv", zero);
      expect(claim).toMatchObject({ epoch: 2, position: { row: 2 }, resumed: true });
    });
  });

  describe("lanes and locks", () => {
    const hastySink = (more: Partial<typeof context>): Sink =>
      new MysqlSink(parsePlace(server.url), {}, { ...context, ...more }, { lockMs: 1000, idleMs: 60_000 });

    it("claim waits for a zombie's open transaction, asks again, and gives its position", async () => {
      await sink.prepare(target);
      const claim = await sink.claim("p", "lane", "a.csv", zero);
      const zombie = await sink.begin(target);
      await zombie.write(await makeBatch(sink, target, claim, rowsTo(3)));
      let pauses = 0;
      const pause = async (): Promise<void> => {
        pauses += 1;
        // The zombie comes to life in the second pause.
        if (pauses === 2) await zombie.commit();
      };
      const hasty = hastySink({ pause });
      await hasty.open();
      notices.length = 0;
      expect(await hasty.claim("p", "lane", "a.csv", zero)).toMatchObject({ epoch: 2, position: { row: 3 } });
      expect(pauses).toBe(2);
      expect(notices).toEqual([expect.stringContaining("a.csv is held by an open transaction")]);
      const late = sink.begin(target).then(async (unit) => {
        return commitBatch(unit, await makeBatch(sink, target, claim, rowsTo(1)));
      });
      expect(await failureOf(sink, late)).toMatchObject({ code: "FENCED", kind: "stop" });
      await hasty.close();
      expect(await counted()).toBe(3n);
    });

    it("claim gives up when the zombie outlasts all patience", async () => {
      await sink.prepare(target);
      const claim = await sink.claim("p", "lane", "a.csv", zero);
      const zombie = await sink.begin(target);
      await zombie.write(await makeBatch(sink, target, claim, rowsTo(1)));
      const hasty = hastySink({});
      await hasty.open();
      let time = Date.now();
      const tired = hastySink({ now: () => (time += 100_000), pause: () => Promise.resolve() });
      await tired.open();
      const work = tired.claim("p", "lane", "a.csv", zero);
      expect(await failureOf(tired, work)).toMatchObject({ code: "SINK_BUSY", kind: "wait" });
      // A row that another holds is waited for by writers too, and then to be tried again.
      const other = await hasty.begin(target);
      const writing = other.write(await makeBatch(hasty, target, claim, rowsTo(1)));
      expect(await failureOf(hasty, writing)).toMatchObject({ code: "SINK_BUSY", kind: "wait" });
      await other.rollback();
      await zombie.rollback();
      await hasty.close();
      await tired.close();
    });

    it("a zombie that stands still is ended by the server, and cannot commit any more", async () => {
      await sink.prepare(target);
      const hung = new MysqlSink(parsePlace(server.url), {}, context, { lockMs: 1000, idleMs: 4000 });
      await hung.open();
      const claim = await hung.claim("p", "lane", "a.csv", zero);
      const zombie = await hung.begin(target);
      await zombie.write(await makeBatch(hung, target, claim, rowsTo(3)));
      expect(await sink.claim("p", "lane", "a.csv", zero)).toMatchObject({ epoch: 2, position: zero });
      expect(await failureOf(hung, zombie.commit())).toMatchObject({ kind: "wait" });
      await hung.close();
      expect(await counted()).toBe(0n);
    });

    it("a deadlock is to be tried again with the same batch", async () => {
      await sink.prepare(keyed);
      await load(sink, keyed, rowsTo(2));
      const units = [await sink.begin(keyed), await sink.begin(keyed)] as const;
      const claims = [await sink.claim("p", "a", "a", zero), await sink.claim("p", "b", "b", zero)] as const;
      // As the runner does it: what fails is rolled back at once, which lets the other go on.
      const write = async (n: 0 | 1, id: number): Promise<void> => {
        try {
          await units[n].write(await makeBatch(sink, keyed, claims[n], [{ id, name: "x" }]));
        } catch (error) {
          await units[n].rollback();
          throw error;
        }
      };
      await write(0, 0);
      await write(1, 1);
      const outcomes = await Promise.allSettled([write(0, 1), write(1, 0)]);
      await Promise.all(units.map((unit) => unit.rollback()));
      const lost = outcomes.filter((outcome) => outcome.status === "rejected");
      expect(lost).toHaveLength(1);
      expect(sink.classify(lost[0]?.reason)).toBe("wait");
      expect(sink.explain(lost[0]?.reason)).toMatchObject({ code: "SINK_BUSY" });
      expect(await load(sink, keyed, rowsTo(2), "again")).toMatchObject({ merged: 2 });
    });

    it("two lanes that merge the same new keys lose and double none", async () => {
      await sink.prepare(keyed);
      const lane = async (name: string): Promise<number> => {
        for (let tries = 0; ; tries += 1) {
          try {
            return (await load(sink, keyed, rowsTo(500), name)).loaded;
          } catch (error) {
            if (sink.classify(error) !== "wait" || tries > 20) throw error;
          }
        }
      };
      const fresh = await Promise.all(["a", "b", "c", "d"].map(lane));
      expect(fresh.reduce((sum, count) => sum + count, 0)).toBe(500);
      expect(await counted()).toBe(500n);
    });

    it("a replace keeps other writers out until it commits", async () => {
      await sink.prepare(target);
      await load(sink, target, rowsTo(3));
      const claim = await sink.claim("p", "new", "new", zero);
      const unit = await sink.begin(target, { replace: true });
      let inserted = false;
      const stranger = run(server.url, "insert into t values (77, 'of a stranger')").then(() => (inserted = true));
      await unit.write(await makeBatch(sink, target, claim, rowsTo(1)));
      expect(inserted).toBe(false);
      await unit.commit();
      await stranger;
      expect(await run(server.url, "select id from t order by id")).toEqual([{ id: 0 }, { id: 77 }]);
    });
  });

  describe("a server that is in the way", () => {
    it("without the right to write: stop, and say so", async () => {
      await sink.prepare(target);
      await run(
        server.url,
        `create or replace user poor identified by 'poor'; grant select, insert, update on millrace.* to poor;
        create or replace user poorer identified by 'poor'; grant select, update, insert on millrace.millrace_checkpoint to poorer;
        grant select, update on millrace.millrace_batch to poorer; grant select on millrace.* to poorer`,
      );
      const poor = makeSink(urlWith(server.url, { username: "poor", password: "poor" }));
      await poor.open();
      expect(await poor.prepare(target)).toMatchObject({ created: false });
      const other = makeTarget({ table: "other" });
      expect(await failureOf(poor, poor.prepare(other))).toMatchObject({ code: "SINK_DENIED", kind: "stop" });
      expect(await load(poor, target, rowsTo(2))).toMatchObject({ loaded: 2 });
      await poor.close();
      const poorer = makeSink(urlWith(server.url, { username: "poorer", password: "poor" }));
      await poorer.open();
      const denied = await failureOf(poorer, load(poorer, target, rowsTo(1)));
      expect(denied).toMatchObject({ code: "SINK_DENIED", kind: "stop" });
      expect(denied.text).toMatch(/INSERT command denied/);
      await poorer.close();
    });

    it("with a wrong password, database or host, or without the TLS that is asked for", async () => {
      const outcomes = await Promise.all(
        [
          urlWith(server.url, { password: "wr0ng-secret" }),
          urlWith(server.url, { database: "nowhere" }),
          "mysql://someone:s3cret@127.0.0.1:1/db",
          `${server.url}?ssl-mode=required`,
        ].map(async (url) => {
          const one = makeSink(url);
          const outcome = await failureOf(one, one.open());
          await one.close();
          return outcome;
        }),
      );
      expect(outcomes.map(({ code, kind }) => [code, kind])).toEqual([
        ["SINK_DENIED", "stop"],
        ["SINK_UNREACHABLE", "stop"],
        ["SINK_UNREACHABLE", "wait"],
        ["SINK_UNREACHABLE", "stop"],
      ]);
      expect(outcomes.map(({ text }) => text).join()).not.toMatch(/s3cret|wr0ng/);
    });

    it("that is read only for now: wait", async () => {
      await sink.prepare(target);
      await run(
        server.url,
        "create or replace user modest identified by 'modest'; grant all on millrace.* to modest; set global read_only = 1",
      );
      try {
        const modest = makeSink(urlWith(server.url, { username: "modest", password: "modest" }));
        await modest.open();
        const outcome = await failureOf(modest, modest.claim("p", "lane", "a.csv", zero));
        await modest.close();
        expect(outcome).toMatchObject({ code: "SINK_READ_ONLY", kind: "wait" });
      } finally {
        await run(server.url, "set global read_only = 0");
      }
    });

    it("that has no room left: wait", async () => {
      await sink.prepare(keyed);
      await load(sink, keyed, rowsTo(1));
      const big = rowsTo(20_000).map((row) => ({ ...row, name: "x".repeat(1500) }));
      const outcome = await failureOf(sink, load(sink, keyed, big, "big"));
      expect(outcome).toMatchObject({ code: "SINK_FULL", kind: "wait" });
      expect(await counted()).toBe(1n);
    });

    it("that takes only small packets: what is larger stops the load, and is said", async () => {
      await sink.prepare(target);
      await run(server.url, "set global max_allowed_packet = 65536");
      try {
        const small = makeSink(server.url);
        await small.open();
        const claim = await small.claim("p", "lane", "a.csv", zero);
        const reject = { ...makeReject(0, { code: "type", message: "no" }), bytes: Buffer.alloc(65_536, 0xff) };
        const batch = await makeBatch(small, target, claim, [], { rejects: [reject], read: 1 });
        const outcome = await failureOf(small, commitBatch(await small.begin(target), batch));
        expect(outcome).toMatchObject({ code: "SINK_REFUSED", kind: "stop" });
        expect(outcome.text).toContain("max_allowed_packet");
        const findings = (await small.diagnose?.()) ?? [];
        expect(findings.filter(({ state }) => state !== "ok").map(({ check }) => check)).toEqual([
          "max_allowed_packet",
        ]);
        await small.close();
      } finally {
        await run(server.url, "set global max_allowed_packet = default");
      }
    });

    it("whose table was dropped meanwhile: stop", async () => {
      await sink.prepare(target);
      await run(server.url, "drop table t");
      expect(await failureOf(sink, load(sink, target, rowsTo(1)))).toMatchObject({
        code: "SINK_REFUSED",
        kind: "stop",
      });
    });
  });
});
