import type { RowSelection } from "../../src/core/row-selection.ts";
import type { EngineRow } from "../../src/ports/engine.ts";
import type { SinkPlace } from "../../src/conformance/index.ts";
import { everyResult, everySink, everyUnit, type Fault, withChanges } from "./broken.ts";

/** Faults of a sink that looks at rows one by one. */
export const faultsOfRows: readonly Fault[] = [
  {
    what: "takes the first of several conditions alone",
    on: "duckdb",
    noticedBy: ["gives the rows that meet all conditions"],
    breakPlace: selecting((selection) => ({ ...selection, conditions: selection.conditions.slice(0, 1) })),
  },
  {
    what: "begins at the first row again",
    on: "duckdb",
    noticedBy: ["gives rows in order, nulls last, from any row on"],
    breakPlace: selecting(({ after: _, ...selection }) => selection),
  },
  {
    what: "counts the rows of an answer",
    on: "duckdb",
    noticedBy: ["counts the rows that meet the conditions"],
    breakPlace: everySink((sink) => ({
      count: async (selection) => {
        let rows = 0;
        for await (const piece of sink.select?.(selection) ?? []) rows += piece.length;
        return rows;
      },
    })),
  },
  {
    what: "leaves quotes out of what it looks for",
    on: "duckdb",
    noticedBy: ["takes values and names for what they are"],
    breakPlace: selecting((selection) => ({
      ...selection,
      conditions: selection.conditions.map((one) => ({
        ...one,
        operands: one.operands.map((value) => (typeof value === "string" ? value.replaceAll("'", "") : value)),
      })),
    })),
  },
  {
    what: "shows the rows that are there and leaves out the others",
    on: "duckdb",
    noticedBy: ["shows rows as they stand to the unit that locks them"],
    breakPlace: everyUnit((unit) => ({
      lock: async (keys) => ((await unit.lock?.(keys)) ?? []).filter((row) => row !== undefined),
    })),
  },
  {
    what: "looks at rows and locks none",
    on: "duckdb",
    noticedBy: ["lets nobody change a row that is locked"],
    breakPlace: everySink((sink) => ({
      begin: async (target, options) => {
        const first = await sink.begin(target, options);
        let looking = false;
        return withChanges(first, {
          lock: async (keys) => {
            if (looking) return [await rowOf(sink.query(`select * from t where id = ${String(keys[0]?.["id"])}`))];
            looking = true;
            const rows = await first.lock?.(keys);
            await first.rollback();
            return rows ?? [];
          },
        });
      },
    })),
  },
  {
    what: "counts removed rows as new ones",
    on: "duckdb",
    noticedBy: ["removes rows and accounts for them"],
    breakPlace: everyResult(({ loaded, merged, ...result }) => ({ ...result, loaded: loaded + merged, merged: 0 })),
  },
  {
    what: "removes the rows that are there",
    on: "duckdb",
    noticedBy: ["removes nothing when one of the rows is not there"],
    breakPlace: everyUnit((unit) => ({
      write: async ({ removes, ...batch }) => {
        if (removes === undefined) return unit.write(batch);
        const rows = (await unit.lock?.(removes)) ?? [];
        const there = removes.filter((_, index) => rows[index] !== undefined);
        return unit.write({ ...batch, removes: there, read: there.length });
      },
    })),
  },
];

function selecting(change: (selection: RowSelection) => RowSelection): (place: SinkPlace) => SinkPlace {
  return everySink((sink) => ({ select: (selection) => sink.select?.(change(selection)) ?? noRows() }));
}

async function* noRows(): AsyncGenerator<readonly EngineRow[]> {
  // None.
}

async function rowOf(pieces: AsyncIterable<readonly EngineRow[]>): Promise<EngineRow | undefined> {
  let found: EngineRow | undefined;
  for await (const [row] of pieces) found ??= row;
  return found;
}
