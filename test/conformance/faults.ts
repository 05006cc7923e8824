import { MillraceError } from "../../src/core/error.ts";
import {
  commitsOnClose,
  commitsOnRollback,
  commitsTheGoodPart,
  everyBatch,
  everyForgottenLane,
  everyResult,
  everySink,
  everyUnit,
  type Fault,
  keepsTheLastBatch,
  losesUnitsSideBySide,
  withChanges,
  writesThrough,
} from "./broken.ts";
import { faultsOfKeeping } from "./faults-of-keeping.ts";
import { faultsOfRows } from "./faults-of-rows.ts";

const preparing: readonly Fault[] = [
  {
    what: "cannot be opened twice",
    noticedBy: ["opens from several sinks at once, and again"],
    error: /already exists/,
    breakPlace: everySink((sink) => {
      let opened = false;
      return {
        open: async () => {
          if (opened) throw new Error("relation already exists");
          opened = true;
          await sink.open();
        },
      };
    }),
  },
  {
    what: "always says that the table was created",
    noticedBy: ["creates a missing table and says so once", "accepts a table that fits"],
    breakPlace: everySink((sink) => ({
      prepare: async (target) => ({ ...(await sink.prepare(target)), created: true }),
    })),
  },
  {
    what: "takes any table",
    noticedBy: ["refuses a table that does not fit and names every column"],
    breakPlace: everySink((sink) => ({
      prepare: async (target) => {
        try {
          return await sink.prepare(target);
        } catch {
          return { created: false, lineage: false, ddl: sink.ddl(target) };
        }
      },
    })),
  },
  {
    what: "names only one of the columns that do not fit",
    noticedBy: ["refuses a table that does not fit and names every column"],
    breakPlace: everySink((sink) => ({
      prepare: async (target) => {
        try {
          return await sink.prepare(target);
        } catch (error) {
          if (!(error instanceof MillraceError)) throw error;
          throw new MillraceError(error.code, error.message.split(";")[0] ?? "", { remedy: "", cause: error });
        }
      },
    })),
  },
  {
    what: "makes no serial column",
    on: "duckdb",
    error: /number/,
    noticedBy: ["fills a serial column, where it says that it can"],
    breakPlace: everySink((sink) => ({
      prepare: ({ serial: _, ...target }) => sink.prepare(target),
    })),
  },
  {
    what: "takes a mode that it does not have",
    noticedBy: ["refuses a mode that it does not have"],
    breakPlace: everySink((sink) => ({ prepare: (target) => sink.prepare({ ...target, mode: "append" }) })),
  },
  {
    what: "does not notice that the table is gone",
    noticedBy: ["forgets the positions of a table that is created anew"],
    breakPlace: (place) => withChanges(place, { dropTable: async () => undefined }),
  },
  {
    what: "says lineage as it was asked for",
    noticedBy: ["says whether the table has lineage"],
    breakPlace: everySink((sink) => ({
      prepare: async (target) => ({ ...(await sink.prepare(target)), lineage: target.lineage }),
    })),
  },
];

const fencing: readonly Fault[] = [
  {
    what: "forgets the position",
    noticedBy: [
      "raises the epoch and gives the committed position",
      "keeps the position when the place is opened again",
    ],
    breakPlace: everySink((sink) => ({
      claim: async (...of) => ({ ...(await sink.claim(...of)), position: of[3] }),
    })),
  },
  {
    what: "does not raise the epoch",
    noticedBy: [
      "raises the epoch and gives the committed position",
      "gives every one of many claimers an epoch of its own",
    ],
    breakPlace: everySink((sink) => ({ claim: async (...of) => ({ ...(await sink.claim(...of)), epoch: 1 }) })),
  },
  {
    what: "takes all pipelines for one",
    noticedBy: ["keeps the lanes and the pipelines apart"],
    error: /taken over/,
    breakPlace: everySink((sink) => ({
      claim: async (_, ...of) => ({ ...(await sink.claim("p", ...of)) }),
      checkpoint: (_, lane) => sink.checkpoint("p", lane),
    })),
  },
  {
    what: "has no fence",
    noticedBy: [
      "refuses a fenced unit and leaves nothing of it",
      "lets one of two claimers commit a position, fifty times",
    ],
    breakPlace: everyBatch(async (batch, sink) => {
      const { pipeline, lane, epoch } = batch.claim;
      const now = await sink.checkpoint(pipeline, lane);
      return { ...batch, claim: { ...batch.claim, epoch: now?.epoch ?? epoch } };
    }),
  },
  {
    what: "says that a fenced unit was committed",
    noticedBy: ["gives a claimer the truth about a unit that was open"],
    breakPlace: everyUnit((unit) => ({
      commit: async () => {
        await Promise.allSettled([unit.commit()]);
      },
    })),
  },
];

const forgetting: readonly Fault[] = [
  {
    what: "deletes a lane instead of forgetting it",
    noticedBy: [
      "fences a zombie from before the table was created anew",
      "fences a zombie from before a replace",
      "goes on counting epochs however often a lane is forgotten",
    ],
    breakPlace: everyForgottenLane("delete from millrace_checkpoint where position is null"),
  },
  {
    what: "forgets a lane and leaves its owner the epoch",
    noticedBy: ["fences a zombie from before the table was created anew", "fences a zombie from before a replace"],
    breakPlace: everyForgottenLane("update millrace_checkpoint set epoch = epoch - 1 where position is null"),
  },
];

const committing: readonly Fault[] = [
  {
    what: "commits every write at once",
    noticedBy: [
      "commits rows, rejects, ledger and position together, and nothing before",
      "rolls back everything",
      "replace shows the old rows until commit and then the new ones",
    ],
    breakPlace: writesThrough,
  },
  {
    what: "leaves the position where it was",
    noticedBy: [
      "commits rows, rejects, ledger and position together, and nothing before",
      "commits a batch of rejects only",
    ],
    breakPlace: everyBatch((batch) => ({ ...batch, end: batch.start })),
  },
  {
    what: "drops rejects",
    noticedBy: [
      "commits rows, rejects, ledger and position together, and nothing before",
      "keeps the bytes, place and reasons of a reject",
    ],
    breakPlace: everyBatch((batch) => ({ ...batch, rejects: [], filtered: batch.filtered + batch.rejects.length })),
  },
  {
    what: "commits when it should roll back",
    noticedBy: ["rolls back everything", "forgets the message ids of a unit that is rolled back"],
    breakPlace: commitsOnRollback,
  },
  {
    what: "throws when there is nothing to roll back",
    noticedBy: ["rolls back again and after commit without effect"],
    error: /there is no transaction/,
    breakPlace: everyUnit((unit) => {
      let ended = false;
      return {
        rollback: async () => {
          if (ended) throw new Error("there is no transaction");
          ended = true;
          await unit.rollback();
        },
      };
    }),
  },
  {
    what: "commits the good part of a unit that failed",
    noticedBy: ["commits nothing of a unit that has thrown"],
    breakPlace: commitsTheGoodPart,
  },
  {
    what: "makes every batch balance",
    noticedBy: ["refuses a batch that does not balance", "commits nothing of a unit that has thrown"],
    breakPlace: everyBatch((batch) => ({ ...batch, filtered: batch.read - batch.rows.count - batch.rejects.length })),
  },
  {
    what: "keeps only the last batch of a unit",
    noticedBy: ["commits many batches in one unit", "commits lane after lane in one unit"],
    breakPlace: keepsTheLastBatch,
  },
  {
    what: "takes no notice of a batch without rows",
    noticedBy: [
      "commits a batch of rejects only",
      "commits a batch that was filtered whole",
      "commits a batch without records",
      "replace by nothing empties the table",
    ],
    breakPlace: everyUnit((unit) => ({
      write: async (batch) =>
        batch.rows.count > 0
          ? unit.write(batch)
          : { loaded: 0, merged: 0, rejected: batch.rejects.length, refused: [] },
    })),
  },
  {
    what: "commits what is open when it is closed",
    noticedBy: ["rolls back the units that are open when it is closed"],
    breakPlace: commitsOnClose,
  },
  {
    what: "loses rows of units side by side",
    noticedBy: ["commits lanes side by side"],
    breakPlace: losesUnitsSideBySide,
  },
];

const meetingRows: readonly Fault[] = [
  {
    what: "drops duplicates where there is no key",
    noticedBy: ["append keeps duplicates where there is no key"],
    breakPlace: (place) =>
      withChanges(place, {
        readTable: async (table) => {
          const rows = await place.readTable(table);
          return [...new Map(rows.map((row) => [JSON.stringify(row), row])).values()];
        },
      }),
  },
  {
    what: "takes duplicate keys for changes",
    noticedBy: [
      "append refuses duplicate keys, row by row",
      "append shows the first of many refused rows and keeps all",
    ],
    on: "duckdb",
    breakPlace: everySink((sink) => ({
      begin: (target, options) =>
        sink.begin({ ...target, mode: target.key.length > 0 ? "merge" : target.mode }, options),
    })),
  },
  {
    what: "hides the rows that it refused",
    noticedBy: [
      "append refuses duplicate keys, row by row",
      "append shows the first of many refused rows and keeps all",
    ],
    on: "duckdb",
    breakPlace: everyResult((result) => ({ ...result, refused: [] })),
  },
  {
    what: "appends where it should merge",
    noticedBy: [
      "merge inserts, changes and counts both",
      "merge takes the last of equal keys in a batch",
      "merge of a key of several columns",
    ],
    on: "duckdb",
    breakPlace: everySink((sink) => ({
      begin: (target, options) => sink.begin({ ...target, mode: "append" }, options),
    })),
  },
  {
    what: "counts merged rows as loaded",
    noticedBy: ["merge inserts, changes and counts both", "merge takes the last of equal keys in a batch"],
    on: "duckdb",
    breakPlace: everyResult((result) => ({ ...result, loaded: result.loaded + result.merged, merged: 0 })),
  },
  {
    what: "appends where it should replace",
    noticedBy: [
      "replace shows the old rows until commit and then the new ones",
      "replace forgets the pipeline's other lanes",
    ],
    breakPlace: everySink((sink) => ({ begin: (target) => sink.begin(target) })),
  },
  {
    what: "replaces although it is rolled back",
    noticedBy: ["replace rolled back keeps the old rows"],
    breakPlace: commitsOnRollback,
  },
];

export const faults: readonly Fault[] = [
  ...preparing,
  ...fencing,
  ...forgetting,
  ...committing,
  ...meetingRows,
  ...faultsOfKeeping,
  ...faultsOfRows,
];
