import type { SinkPlace } from "../../src/conformance/index.ts";
import { makeTarget } from "../../src/conformance/sink-scene.ts";
import type { EngineRow, EngineValue } from "../../src/ports/engine.ts";
import { RepeatedMessages, type SinkBatch } from "../../src/ports/sink.ts";
import { everyBatch, everyRecord, everySink, everyUnit, type Fault, withChanges } from "./broken.ts";

const counter = (): (() => bigint) => {
  let last = 0n;
  return () => (last += 1n);
};

/** Breaks what is read back of the rows. */
function everyValue(change: (value: EngineValue, column: string) => EngineValue): (place: SinkPlace) => SinkPlace {
  const changeRow = (row: EngineRow): EngineRow =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, change(value, name)]));
  return (place) => withChanges(place, { readTable: async (table) => (await place.readTable(table)).map(changeRow) });
}

const keeping: readonly Fault[] = [
  {
    what: "keeps the bytes of rejects as text",
    noticedBy: ["keeps the bytes, place and reasons of a reject"],
    breakPlace: everyBatch((batch) => ({
      ...batch,
      rejects: batch.rejects.map((reject) => ({ ...reject, bytes: Buffer.from(Buffer.from(reject.bytes).toString()) })),
    })),
  },
  {
    what: "keeps one reason of a reject",
    noticedBy: [
      "keeps the bytes, place and reasons of a reject",
      "finds rejects by every filter",
      "sums up open rejects",
    ],
    breakPlace: everyBatch((batch) => ({
      ...batch,
      rejects: batch.rejects.map((reject) => ({ ...reject, reasons: reject.reasons.slice(0, 1) })),
    })),
  },
  {
    what: "knows no filter of rejects",
    noticedBy: ["finds rejects by every filter"],
    breakPlace: everyRecord((records) => ({ rejects: ({ limit }) => records.rejects({ limit }) })),
  },
  {
    what: "gives rejects in one order only",
    noticedBy: ["finds the newest rejects first"],
    breakPlace: everyRecord((records) => ({ rejects: ({ order: _, ...filter }) => records.rejects(filter) })),
  },
  {
    what: "counts reasons for rejects",
    noticedBy: ["counts a reject once, however many its reasons"],
    breakPlace: everyRecord((records) => ({
      countRejects: async ({ pipeline }) =>
        (await records.rejectSummary(pipeline)).reduce((sum, group) => sum + group.count, 0),
    })),
  },
  {
    what: "takes a replay for a batch like any other",
    noticedBy: [
      "marks replayed rejects and leaves the others",
      "keeps a replayed reject open with the reasons of this attempt",
      "lets one of two racers replay a reject",
    ],
    breakPlace: everyBatch(({ replays: _, ...batch }) => batch),
  },
  {
    what: "takes every replayed reject for mended",
    noticedBy: ["keeps a replayed reject open with the reasons of this attempt"],
    breakPlace: everyBatch((batch) =>
      batch.replays === undefined ? batch : { ...batch, rejects: [], filtered: batch.rejects.length },
    ),
  },
  {
    what: "knows no message ids",
    noticedBy: ["names exactly the message ids that are committed already"],
    breakPlace: everyBatch(({ messageIds: _, ...batch }) => batch),
  },
  {
    what: "takes no notice of a message that comes twice in a batch",
    noticedBy: ["names the message ids that stand in a batch twice"],
    breakPlace: everyBatch((batch) =>
      batch.messageIds === undefined ? batch : { ...batch, messageIds: [...new Set(batch.messageIds)] },
    ),
  },
  {
    what: "takes all messages of a batch for repeated when one is",
    noticedBy: ["names exactly the message ids that are committed already"],
    breakPlace: everyUnit((unit) => ({
      write: async (batch) => {
        try {
          return await unit.write(batch);
        } catch (error) {
          throw error instanceof RepeatedMessages ? new RepeatedMessages(batch.messageIds ?? []) : error;
        }
      },
    })),
  },
  {
    what: "counts no row that lies elsewhere",
    noticedBy: ["keeps everything but the rows where these lie elsewhere, if it says that it can"],
    breakPlace: everySink((sink) => ({
      begin: async (target, options) => {
        const unit = await sink.begin(target, options);
        if (target.elsewhere !== true) return unit;
        const none = (batch: SinkBatch): SinkBatch => ({
          ...batch,
          rows: { ...batch.rows, count: 0 },
          filtered: batch.filtered + batch.rows.count,
        });
        return withChanges(unit, { write: (batch) => unit.write(none(batch)) });
      },
    })),
  },
  {
    what: "forgets messages that are not old",
    noticedBy: ["forgets message ids and lanes by their age, of one pipeline and source"],
    breakPlace: everySink((sink) => ({ trim: (pipeline, source) => sink.trim(pipeline, source, 0) })),
  },
  {
    what: "forgets no messages",
    noticedBy: ["forgets message ids and lanes by their age, of one pipeline and source"],
    breakPlace: everySink(() => ({ trim: async () => 0 })),
  },
  {
    what: "remembers messages whose rows are gone",
    error: /committed already/,
    noticedBy: ["forgets message ids together with the rows that they came with"],
    breakPlace: everySink((sink) => ({
      begin: async (target, options) => {
        const unit = await sink.begin(target, options);
        if (options?.replace !== true) return unit;
        return withChanges(unit, {
          write: async ({ messageIds, ...batch }) => {
            if (messageIds !== undefined) throw new RepeatedMessages(messageIds);
            return unit.write(batch);
          },
        });
      },
    })),
  },
  {
    what: "numbers batches in each process anew",
    noticedBy: ["keeps batch numbers unique across sinks"],
    breakPlace: everySink(() => {
      const next = counter();
      return { reserveBatches: async (count) => Array.from({ length: count }, next) };
    }),
  },
  {
    what: "keeps one definition for all versions",
    noticedBy: ["keeps definitions by version"],
    breakPlace: everySink((sink) => ({
      define: (pipeline, _, definition) => sink.define(pipeline, "", definition),
      records: withChanges(sink.records, { definition: (pipeline) => sink.records.definition(pipeline, "") }),
    })),
  },
  {
    what: "lists the ledger oldest first",
    noticedBy: ["lists the ledger newest first and by every filter"],
    breakPlace: everyRecord((records) => ({ ledger: async (filter) => (await records.ledger(filter)).toReversed() })),
  },
  {
    what: "writes the time of the commit as the start",
    noticedBy: ["writes a ledger entry that balances for each batch"],
    breakPlace: everyBatch((batch) => ({ ...batch, startedAt: new Date().toISOString() })),
  },
  {
    what: "lists the lanes of all sources",
    noticedBy: ["lists checkpoints by source"],
    breakPlace: everyRecord((records) => ({ checkpoints: (pipeline) => records.checkpoints(pipeline) })),
  },
  {
    what: "finds the lineage of one of several rows",
    noticedBy: ["finds the lineage of a key and the rows of a lineage", "knows no lineage of a table without"],
    breakPlace: everyRecord((records) => ({
      lineageOf: async (...of) => (await records.lineageOf(...of)).slice(0, 1),
    })),
  },
  {
    what: "creates what it keeps although it only reads",
    noticedBy: ["reads without creating anything"],
    breakPlace: everySink((sink) => ({
      open: async (use) => {
        await sink.open();
        if (use === "read") await sink.prepare(makeTarget({ table: "queried" }));
      },
    })),
  },
  {
    what: "leaves the client's errors as they are",
    noticedBy: ["reads by query and explains a query that fails"],
    breakPlace: everySink(() => ({ explain: (error) => (error instanceof Error ? error : new Error("unknown")) })),
  },
];

const changingValues: readonly Fault[] = [
  {
    what: "takes the empty text for null",
    noticedBy: ["keeps any text, and the empty one apart from null"],
    breakPlace: everyValue((value) => (value === "" ? null : value)),
  },
  {
    what: "trims text",
    noticedBy: ["keeps any text, and the empty one apart from null"],
    breakPlace: everyValue((value) => (typeof value === "string" ? value.trim() : value)),
  },
  {
    what: "keeps decimals as doubles",
    noticedBy: ["keeps whole numbers, decimals and doubles exactly"],
    breakPlace: everyValue((value, column) => (column === "whole" && value !== null ? String(Number(value)) : value)),
  },
  {
    what: "keeps timestamps to the millisecond",
    noticedBy: ["keeps dates and timestamps exactly"],
    breakPlace: everyValue((value, column) =>
      column === "moment" && typeof value === "string" ? value.slice(0, 23) : value,
    ),
  },
  {
    what: "loses the shape of json",
    noticedBy: ["keeps json, uuid and boolean exactly"],
    breakPlace: everyValue((value, column) => (column === "tree" ? JSON.stringify(value) : value)),
  },
  {
    what: "shows dates as days",
    noticedBy: ["reads every type as the row types say"],
    breakPlace: everyRecord((records) => ({
      rowsByLineage: async (...of) => (await records.rowsByLineage(...of)).map((row) => ({ ...row, day: 1 })),
    })),
  },
  {
    what: "folds the case of names",
    noticedBy: ["keeps columns of any name in a table of any name"],
    breakPlace: (place) =>
      withChanges(place, {
        readTable: async (table) => {
          const rows = await place.readTable(table);
          return rows.map((row) =>
            Object.fromEntries(Object.entries(row).map(([name, value]) => [name.toLowerCase(), value])),
          );
        },
      }),
  },
];

/** What is kept wrongly, or read wrongly of what is kept. */
export const faultsOfKeeping: readonly Fault[] = [...keeping, ...changingValues];
