import { describe, expect, it } from "vitest";
import { limit } from "../../src/core/limit.ts";
import type { Mode } from "../../src/core/pipeline.ts";
import type { Sink, Unit } from "../../src/ports/sink.ts";
import { type Handover, Intake } from "../../src/runtime/intake.ts";
import { people, records, Scene, watched } from "./scene.ts";

const never = new AbortController().signal;

function handover(text: string, source = "people.csv"): Handover {
  const bytes = Buffer.from(text);
  return {
    source,
    sizeBytes: bytes.length,
    async *bytes() {
      // In small pieces, as they come over the network.
      for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
    },
  };
}

interface Given {
  readonly mode?: Mode;
  readonly batchBytes?: number;
  readonly watchSink?: (sink: Sink) => Sink;
}

/** An intake over `people` in a DuckDB file, for the time of `work`. */
async function withIntake(
  given: Given,
  work: (intake: Intake, sink: Sink, scene: Scene) => Promise<void>,
): Promise<void> {
  await using scene = await Scene.open();
  const { mode = "merge", batchBytes = 1_000_000, watchSink = (sink) => sink } = given;
  const sink = watchSink(await scene.sink());
  const pipeline = { ...scene.pipeline({}, { mode, lineage: true }), contract: people };
  const options = { lanes: 3, batchBytes, onEvent: () => undefined, stop: never };
  const intake = await Intake.open({ pipeline, sink, engine: scene.engine, context: scene.context }, options);
  try {
    await work(intake, sink, scene);
  } finally {
    await intake.close();
    await sink.close();
  }
}

async function countOf(sink: Sink): Promise<number> {
  for await (const [row] of sink.query("select count(*)::integer as n from people")) return Number(row?.["n"]);
  return -1;
}

describe("an intake", () => {
  it("commits a handover with its rejects and a ledger entry that names it", async () => {
    await withIntake({}, async (intake, sink) => {
      const receipt = await intake.take(handover("1,Ada\nx,Bob\n2,\n3,Cy\n"));
      expect(receipt).toMatchObject({ read: 4, loaded: 2, merged: 0, filtered: 0, rejected: 2 });
      expect(receipt.rejects.map(({ line, reasons }) => [line, reasons[0]?.code])).toEqual([
        [2, "type"],
        [3, "missing"],
      ]);
      const [entry] = await sink.records.ledger({ limit: 9 });
      expect(entry).toMatchObject({ source: "people.csv", read: 4, loaded: 2, rejected: 2, start: { line: 1 } });
      expect(await sink.records.countRejects({ state: "open" })).toBe(2);
    });
  });

  it("merges what comes again, and takes nothing of nothing", async () => {
    await withIntake({}, async (intake, sink) => {
      await intake.take(handover(records(10)));
      expect(await intake.take(handover(records(12)))).toMatchObject({ read: 12, loaded: 2, merged: 10 });
      expect(await intake.take(handover(""))).toMatchObject({ read: 0, loaded: 0 });
      expect(await countOf(sink)).toBe(12);
    });
  });

  it("tells every row that the table refuses, in record order among the others", async () => {
    await withIntake({ mode: "append" }, async (intake) => {
      await intake.take(handover(records(10)));
      const receipt = await intake.take(handover(`x,y\n${records(12)}`));
      expect(receipt).toMatchObject({ read: 13, loaded: 2, rejected: 11 });
      const codes = receipt.rejects.map(({ reasons }) => reasons[0]?.code);
      expect(codes).toEqual(["type", ...Array.from({ length: 10 }, () => "duplicate")]);
    });
  });

  it("takes a handover of many batches in one transaction", async () => {
    const failing = (sink: Sink): Sink =>
      watched(sink, {
        begin: async (target, options) => {
          const unit = await sink.begin(target, options);
          let writes = 0;
          const write: Unit["write"] = async (batch) => {
            writes += 1;
            if (writes === 3 && batch.source === "bad.csv") throw new TypeError("a fault");
            return unit.write(batch);
          };
          return watched(unit, { write });
        },
      });
    await withIntake({ batchBytes: 20_000, watchSink: failing }, async (intake, sink) => {
      await expect(intake.take(handover(records(5_000), "bad.csv"))).rejects.toThrow("a fault");
      expect(await countOf(sink)).toBe(0);
      expect(await intake.take(handover(records(5_000)))).toMatchObject({ read: 5_000, loaded: 5_000 });
      expect(await sink.records.ledger({ limit: 99 })).not.toHaveLength(1);
    });
  });

  it("takes many at once, each as if it were alone", async () => {
    await withIntake({}, async (intake, sink) => {
      const receipts = await Promise.all(
        Array.from({ length: 20 }, (_, index) => intake.take(handover(records(10, (index % 4) * 10)))),
      );
      expect(receipts.reduce((sum, { loaded }) => sum + loaded, 0)).toBe(40);
      expect(receipts.every(({ read, loaded, merged }) => read === 10 && loaded + merged === 10)).toBe(true);
      expect(await countOf(sink)).toBe(40);
    });
  });

  it("does not double what was committed when the answer to the commit was lost", async () => {
    let lost = 0;
    const losing = (sink: Sink): Sink =>
      watched(sink, {
        begin: async (target, options) => {
          const unit = await sink.begin(target, options);
          return watched(unit, {
            commit: async () => {
              await unit.commit();
              lost += 1;
              if (lost === 1) throw new LostAnswer();
            },
          });
        },
        classify: (error) => (error instanceof LostAnswer ? "wait" : sink.classify(error)),
        explain: (error) => (error instanceof LostAnswer ? error : sink.explain(error)),
      });
    await withIntake({ mode: "append", watchSink: losing }, async (intake, sink) => {
      expect(await intake.take(handover(records(10)))).toMatchObject({ read: 10, loaded: 10, rejected: 0 });
      expect([await countOf(sink), (await sink.records.ledger({ limit: 9 })).length]).toEqual([10, 1]);
      expect(await intake.take(handover(records(10, 10)))).toMatchObject({ loaded: 10 });
    });
  });

  it("gives up on a sink that stays away, and takes again when it is back", async () => {
    let isAway = false;
    const leaving = (sink: Sink): Sink =>
      watched(sink, {
        begin: (target, options) => (isAway ? Promise.reject(new LostAnswer()) : sink.begin(target, options)),
        classify: (error) => (error instanceof LostAnswer ? "wait" : sink.classify(error)),
        explain: (error) => (error instanceof LostAnswer ? error : sink.explain(error)),
      });
    await withIntake({ watchSink: leaving }, async (intake, sink, scene) => {
      isAway = true;
      const began = scene.context.now();
      await expect(intake.take(handover(records(3)))).rejects.toThrow(LostAnswer);
      expect(scene.context.now() - began).toBeGreaterThanOrEqual(limit.intakePatienceMs);
      isAway = false;
      expect(await intake.take(handover(records(3)))).toMatchObject({ loaded: 3 });
      expect(await countOf(sink)).toBe(3);
    });
  });
});

class LostAnswer extends Error {}
