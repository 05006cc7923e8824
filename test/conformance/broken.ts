import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { SinkPlace } from "../../src/conformance/index.ts";
import type { Sink, SinkBatch, SinkRecords, Target, Unit, WriteResult } from "../../src/ports/sink.ts";

/** A way to be broken, and the behaviours that must notice. */
export interface Fault {
  readonly what: string;
  readonly noticedBy: readonly string[];
  /** What it ends with where no expectation is reached; an expectation that does not hold when absent. */
  readonly error?: RegExp;
  /** Files unless the fault needs keys. */
  readonly on?: "duckdb";
  breakPlace(place: SinkPlace): SinkPlace;
}

/** The object with some members replaced. */
export function withChanges<Thing extends object>(thing: Thing, changes: Partial<Thing>): Thing {
  return new Proxy(thing, {
    get(target, name) {
      const source = Object.hasOwn(changes, name) ? changes : target;
      const value: unknown = Reflect.get(source, name, source);
      return typeof value === "function" ? (value.bind(source) as unknown) : value;
    },
  });
}

/** Breaks the place's sink and all others alike. */
export function everySink(breakSink: (sink: Sink) => Partial<Sink>): (place: SinkPlace) => SinkPlace {
  return (place) => {
    const broken = (sink: Sink): Sink => withChanges(sink, breakSink(sink));
    return withChanges(place, { sink: broken(place.sink), other: async () => broken(await place.other()) });
  };
}

export function everyUnit(
  breakUnit: (unit: Unit, sink: Sink, target: Target) => Partial<Unit>,
): (place: SinkPlace) => SinkPlace {
  return everySink((sink) => ({
    begin: async (target, options) => {
      const unit = await sink.begin(target, options);
      return withChanges(unit, breakUnit(unit, sink, target));
    },
  }));
}

export function everyBatch(change: (batch: SinkBatch, sink: Sink) => Promise<SinkBatch> | SinkBatch) {
  return everyUnit((unit, sink) => ({ write: async (batch) => unit.write(await change(batch, sink)) }));
}

export function everyResult(change: (result: WriteResult) => WriteResult): (place: SinkPlace) => SinkPlace {
  return everyUnit((unit) => ({ write: async (batch) => change(await unit.write(batch)) }));
}

export function everyRecord(change: (records: SinkRecords) => Partial<SinkRecords>): (place: SinkPlace) => SinkPlace {
  return everySink((sink) => ({ records: withChanges(sink.records, change(sink.records)) }));
}

/** Every write is a transaction of its own, so commit and rollback come too late. */
export const writesThrough = everySink((sink) => ({
  begin: async (target, options) => {
    const unit = (): Promise<Unit> => sink.begin(target, options);
    return {
      write: async (batch) => {
        const inner = await unit();
        const result = await inner.write(batch);
        await inner.commit();
        return result;
      },
      commit: async () => undefined,
      rollback: async () => undefined,
    };
  },
}));

/** What was good in a failed unit is committed after all. */
export const commitsTheGoodPart = everySink((sink) => ({
  begin: async (target, options) => {
    const good: SinkBatch[] = [];
    const trial = await sink.begin(target, options);
    return {
      write: async (batch) => {
        const result = await trial.write(batch);
        good.push(batch);
        return result;
      },
      commit: async () => {
        await trial.rollback();
        const unit = await sink.begin(target, options);
        for (const batch of good) await unit.write(batch);
        await unit.commit();
      },
      rollback: () => trial.rollback(),
    };
  },
}));

/** A unit that was not committed is committed when it should be rolled back. */
export const commitsOnRollback = everyUnit((unit) => {
  let ended = false;
  const end = async (): Promise<void> => {
    if (!ended) await unit.commit();
    ended = true;
  };
  return { commit: end, rollback: end };
});

/** Only the last batch of a unit is written. */
export const keepsTheLastBatch = everySink((sink) => ({
  begin: async (target, options) => {
    let last: SinkBatch | undefined;
    const unit = await sink.begin(target, options);
    return {
      write: async (batch) => {
        last = batch;
        const { count: loaded } = batch.rows;
        return { loaded, merged: 0, rejected: batch.rejects.length, refused: [] };
      },
      commit: async () => {
        if (last !== undefined) await unit.write(last);
        await unit.commit();
      },
      rollback: () => unit.rollback(),
    };
  },
}));

/** While one unit is open, the rows of another are forgotten. */
export const losesUnitsSideBySide = ((): ((place: SinkPlace) => SinkPlace) => {
  let open = 0;
  return everyUnit((unit) => {
    open += 1;
    let counted = true;
    const end = (): void => {
      if (counted) open -= 1;
      counted = false;
    };
    return {
      write: async (batch) => (open > 1 ? { loaded: 0, merged: 0, rejected: 0, refused: [] } : unit.write(batch)),
      commit: async () => {
        end();
        await unit.commit();
      },
      rollback: async () => {
        end();
        await unit.rollback();
      },
    };
  });
})();

/** Does to the lanes that a file sink has just forgotten what another sink might do in their place. */
export function everyForgottenLane(sql: string): (place: SinkPlace) => SinkPlace {
  const doInstead = (sink: Sink): void => {
    const catalog = new DatabaseSync(join(sink.shown.replace(/^file:/, ""), "_millrace", "catalog.db"));
    try {
      catalog.exec(sql);
    } finally {
      catalog.close();
    }
  };
  return everySink((sink) => ({
    prepare: async (target) => {
      const prepared = await sink.prepare(target);
      doInstead(sink);
      return prepared;
    },
    begin: async (target, options) => {
      const unit = await sink.begin(target, options);
      const commit = async (): Promise<void> => {
        await unit.commit();
        if (options?.replace === true) doInstead(sink);
      };
      return withChanges(unit, { commit });
    },
  }));
}

/** What is written and not committed is committed as the sink closes. */
export const commitsOnClose = everySink((sink) => {
  const open = new Set<Unit>();
  return {
    begin: async (target, options) => {
      const unit = await sink.begin(target, options);
      open.add(unit);
      return unit;
    },
    close: async () => {
      await Promise.allSettled([...open].map((unit) => unit.commit()));
      await sink.close();
    },
  };
});
