import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parsePlace } from "../../../src/core/place.ts";
import { PostgresSink } from "../../../src/adapters/postgres/sink.ts";
import type { EngineRow } from "../../../src/ports/engine.ts";
import type { Sink } from "../../../src/ports/sink.ts";
import { startPostgres } from "../../servers/postgres.ts";
import type { RestartableServer } from "../../servers/server.ts";
import {
  commitBatch,
  context,
  failureOf,
  load,
  makeBatch,
  makeSink,
  makeTarget,
  notices,
  run,
  urlWith,
  zero,
} from "./scene.ts";

let server: RestartableServer;
let sink: Sink;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

beforeEach(async () => {
  await run(server.url, "drop schema public cascade; create schema public");
  sink = makeSink(server.url);
  await sink.open();
  return () => sink.close();
});

const target = makeTarget();
const rowsTo = (count: number): EngineRow[] => Array.from({ length: count }, (_, id) => ({ id, name: `n${id}` }));
const ended =
  "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'millrace' and pid <> pg_backend_pid()";

async function counted(table = "t"): Promise<unknown> {
  return (await run(server.url, `select count(*) as n from ${table}`))[0]?.["n"];
}

describe("a connection that is lost", () => {
  it("in the middle of a COPY leaves nothing, and the batch can be tried again", async () => {
    await sink.prepare(target);
    // The backend ends itself at row 1500 of the COPY.
    await run(
      server.url,
      `create function die() returns trigger language plpgsql as $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;
       create trigger die before insert on t for each row when (new.id = 1500) execute function die()`,
    );
    const big = rowsTo(20_000).map((row) => ({ ...row, name: "x".repeat(200) }));
    expect(await failureOf(sink, load(sink, target, big))).toMatchObject({ kind: "wait", code: "SINK_UNREACHABLE" });
    expect([await counted(), await counted("millrace_ledger")]).toEqual([0n, 0n]);
    await run(server.url, "drop trigger die on t");
    expect(await load(sink, target, big)).toMatchObject({ loaded: 20_000 });
    expect(await counted()).toBe(20_000n);
  });

  it("between write and commit leaves nothing", async () => {
    await sink.prepare(target);
    const claim = await sink.claim("p", "lane", "a.csv", zero);
    const unit = await sink.begin(target);
    await unit.write(await makeBatch(sink, target, claim, rowsTo(5)));
    await run(server.url, ended);
    expect(await failureOf(sink, unit.commit())).toMatchObject({ kind: "wait" });
    await unit.rollback();
    expect(await counted()).toBe(0n);
    expect((await sink.checkpoint("p", "lane"))?.position).toEqual(zero);
  });

  it("while idle is not noticed", async () => {
    await sink.prepare(target);
    await run(server.url, ended);
    let failed = 0;
    // The pool may learn of it only when it uses the session: then it is a failure to wait for.
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
    expect(await failureOf(sink, sink.claim("p", "lane", "a.csv", zero))).toMatchObject({
      kind: "wait",
      code: "SINK_UNREACHABLE",
    });
    await server.start();
    const claim = await sink.claim("p", "lane", "a.csv", zero);
    expect(claim).toMatchObject({ epoch: 2, position: { row: 2 }, resumed: true });
  });
});

describe("lanes and locks", () => {
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
    const hasty = new PostgresSink(
      parsePlace(server.url),
      {},
      { ...context, pause },
      { lockMs: 50, idleInTransactionMs: 60_000 },
    );
    await hasty.open();
    notices.length = 0;
    expect(await hasty.claim("p", "lane", "a.csv", zero)).toMatchObject({ epoch: 2, position: { row: 3 } });
    expect(pauses).toBe(2);
    expect(notices).toEqual([expect.stringContaining("a.csv is held by an open transaction")]);
    expect(
      await failureOf(
        sink,
        sink.begin(target).then(async (unit) => commitBatch(unit, await makeBatch(sink, target, claim, rowsTo(1)))),
      ),
    ).toMatchObject({ code: "FENCED", kind: "stop" });
    await hasty.close();
    expect(await counted()).toBe(3n);
  });

  it("claim gives up when the zombie outlasts all patience", async () => {
    await sink.prepare(target);
    const claim = await sink.claim("p", "lane", "a.csv", zero);
    const zombie = await sink.begin(target);
    await zombie.write(await makeBatch(sink, target, claim, rowsTo(1)));
    let time = 0;
    const now = (): number => (time += 100_000);
    const hasty = new PostgresSink(
      parsePlace(server.url),
      {},
      { ...context, now },
      { lockMs: 20, idleInTransactionMs: 60_000 },
    );
    await hasty.open();
    expect(await failureOf(hasty, hasty.claim("p", "lane", "a.csv", zero))).toMatchObject({
      code: "SINK_BUSY",
      kind: "wait",
    });
    await zombie.rollback();
    await hasty.close();
  });

  it("a deadlock is to be tried again with the same batch", async () => {
    const keyed = makeTarget({ mode: "merge", key: ["id"], columns: target.columns });
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
});

describe("a server that is in the way", () => {
  it("without the right to write: stop, and say so", async () => {
    await sink.prepare(target);
    await run(server.url, "drop role if exists poor");
    await run(
      server.url,
      `create role poor login password 'poor'; grant select, insert, update on all tables in schema public to poor;
      grant usage on all sequences in schema public to poor; grant usage on schema public to poor; revoke insert on t from poor`,
    );
    const poor = makeSink(urlWith(server.url, { username: "poor", password: "poor" }));
    await poor.open();
    expect(await poor.prepare(target)).toMatchObject({ created: false });
    const denied = await failureOf(poor, load(poor, target, rowsTo(1)));
    expect(denied).toMatchObject({ code: "SINK_DENIED", kind: "stop" });
    expect(denied.text).toContain("permission denied for table t");
    expect(await failureOf(poor, poor.prepare(makeTarget({ table: "other" })))).toMatchObject({ code: "SINK_DENIED" });
    await poor.close();
    await run(server.url, "drop owned by poor; drop role poor");
  });

  it("with a wrong password, database or host", async () => {
    const outcomes = await Promise.all(
      [
        urlWith(server.url, { password: "wr0ng-secret" }),
        urlWith(server.url, { database: "nowhere" }),
        "postgres://someone:s3cret@127.0.0.1:1/db",
        `${server.url}?sslmode=require`,
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
    await run(server.url, "alter role current_user set default_transaction_read_only = on");
    const late = makeSink(server.url);
    await late.open();
    const outcome = await failureOf(late, late.claim("p", "lane", "a.csv", zero));
    await late.close();
    await run(server.url, "begin read write; alter role current_user reset default_transaction_read_only; commit");
    expect(outcome).toMatchObject({ code: "SINK_READ_ONLY", kind: "wait" });
  });

  it("whose table was dropped meanwhile: stop", async () => {
    await sink.prepare(target);
    await run(server.url, "drop table t");
    expect(await failureOf(sink, load(sink, target, rowsTo(1)))).toMatchObject({ code: "SINK_REFUSED", kind: "stop" });
  });
});
