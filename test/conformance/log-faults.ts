// Logs that are broken in one way each, and which behaviours of the suite have to notice it.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LogPlace } from "../../src/conformance/index.ts";
import { MillraceError } from "../../src/core/error.ts";
import {
  type Assignment,
  type KeptRecord,
  LaneReplaced,
  type Log,
  type LogLane,
  type LogRecord,
  RecordsGone,
} from "../../src/ports/log.ts";
import type { MemoryLog, MemoryPlace } from "./memory-log.ts";

export interface LogFault {
  readonly what: string;
  readonly noticedBy: readonly string[];
  /** What it ends with where no expectation is reached; an expectation that does not hold when absent. */
  readonly error?: RegExp;
  readonly breakLog?: (log: MemoryLog) => Partial<Log>;
  readonly breakPlace?: (place: LogPlace, memory: MemoryPlace) => Partial<LogPlace>;
}

/** What a loop ends with that is waited for in vain. */
const inVain = /^waited for/;
const mismatchOrInVain = /^(waited for|expected .* to deeply equal)/;

type BreakLog = NonNullable<LogFault["breakLog"]>;
type Read = Log["read"];

const everyAppend =
  (change: (records: readonly LogRecord[]) => readonly LogRecord[]): BreakLog =>
  (log) => ({ append: (records) => log.append(change(records)) });

const everyRecord = (change: (record: LogRecord) => LogRecord): BreakLog =>
  everyAppend((records) => records.map(change));

const everyLane =
  (change: (lane: LogLane, log: MemoryLog) => LogLane): BreakLog =>
  (log) => ({ lanes: async () => (await log.lanes()).map((lane) => change(lane, log)) });

const everyRead =
  (change: (read: Read, log: MemoryLog) => Read): BreakLog =>
  (log) => ({ read: change((lane, offset, signal) => log.read(lane, offset, signal), log) });

const everyPiece = (
  change: (piece: readonly KeptRecord[], lane: LogLane) => readonly (readonly KeptRecord[])[],
): BreakLog =>
  everyRead(
    (read) =>
      async function* (lane, offset, signal) {
        for await (const piece of read(lane, offset, signal)) yield* change(piece, lane);
      },
  );

const everyAssignment =
  (change: (assignment: Assignment, log: MemoryLog) => readonly Assignment[]): BreakLog =>
  (log) => ({
    assignments: async function* (group, signal) {
      for await (const assignment of log.assignments(group, signal)) yield* change(assignment, log);
    },
  });

function without<Thing extends object>(thing: Thing, name: keyof Thing): Thing {
  return Object.fromEntries(Object.entries(thing).filter(([one]) => one !== name)) as Thing;
}

function asText(bytes: Uint8Array): Uint8Array {
  return new TextEncoder().encode(new TextDecoder().decode(bytes));
}

const never = (): Promise<never> => new Promise(() => {});

/** What several logs of a place have in common although they should not. */
const perPlace = <Value extends object>(make: () => Value): ((log: MemoryLog) => Value) => {
  const values = new WeakMap<MemoryPlace, Value>();
  return ({ place }) => {
    const value = values.get(place) ?? make();
    values.set(place, value);
    return value;
  };
};

const counted = perPlace(() => ({ count: 0 }));
const seenIds = perPlace(() => new Set<string>());
const cursors = perPlace(() => new Map<string, bigint>());

const appending: readonly LogFault[] = [
  {
    what: "cannot be opened twice",
    noticedBy: ["opens from several logs at once, and again, as one log"],
    error: /exists already/,
    breakLog: (log) => ({
      open: async () => {
        if ((counted(log).count += 1) > 2) throw new Error("the log exists already");
      },
    }),
  },
  {
    what: "is emptied whenever it is opened",
    noticedBy: [
      "opens from several logs at once, and again, as one log",
      "keeps what was appended when it is opened again",
    ],
    breakLog: (log) => ({ open: async () => log.place.recreate() }),
  },
  {
    what: "counts lanes from 1",
    noticedBy: ["has lanes with names from 0 on, that are empty at first and the same for all"],
    breakLog: everyLane((lane) => ({ ...lane, name: `${Number(lane.name) + 1}` })),
  },
  {
    what: "is another one in every process",
    noticedBy: ["has lanes with names from 0 on, that are empty at first and the same for all"],
    breakLog: (log) => {
      const incarnation = `${(counted(log).count += 1)}`;
      return { lanes: async () => (await log.lanes()).map((lane) => ({ ...lane, incarnation })) };
    },
  },
  {
    what: "takes bytes for text",
    noticedBy: ["gives back bytes, keys, ids and times as they were"],
    breakLog: everyRecord((record) => ({ ...record, value: asText(record.value) })),
  },
  {
    what: "takes keys for text",
    noticedBy: ["gives back bytes, keys, ids and times as they were"],
    breakLog: everyRecord((record) => (record.key === undefined ? record : { ...record, key: asText(record.key) })),
  },
  {
    what: "loses ids",
    noticedBy: ["gives back bytes, keys, ids and times as they were"],
    breakLog: everyRecord((record) => without(record, "id")),
  },
  {
    what: "keeps times by the second",
    noticedBy: ["gives back bytes, keys, ids and times as they were"],
    breakLog: everyRecord((record) => ({ ...record, timeMs: Math.floor(record.timeMs / 1000) * 1000 })),
  },
  {
    what: "keeps the whole buffer of which a value is a part",
    noticedBy: ["gives back bytes, keys, ids and times as they were"],
    breakLog: everyRecord((record) => ({ ...record, value: new Uint8Array(record.value.buffer) })),
  },
  {
    what: "leaves out empty values",
    noticedBy: ["gives back bytes, keys, ids and times as they were"],
    breakLog: everyAppend((records) => records.filter(({ value }) => value.length > 0)),
  },
  {
    what: "takes an empty key for none",
    noticedBy: ["tells an empty key from none"],
    breakLog: everyRecord((record) => (record.key?.length === 0 ? without(record, "key") : record)),
  },
  {
    what: "turns the order of a call around",
    noticedBy: ["keeps the records of a key in one lane, in order", "takes a large append"],
    breakLog: everyAppend((records) => records.toReversed()),
  },
  {
    what: "spreads the records of a key over lanes",
    noticedBy: ["keeps the records of a key in one lane, in order"],
    breakLog: (log) => ({
      append: async (records) => {
        for (const record of records) log.place.put(record, (counted(log).count += 1) % 4);
      },
    }),
  },
  {
    what: "puts all records into one lane",
    noticedBy: ["keeps the records of a key in one lane, in order"],
    breakLog: (log) => ({
      append: async (records) => {
        for (const record of records) log.place.put(record, 0);
      },
    }),
  },
  {
    what: "has a lane of its own for the keys of each process",
    noticedBy: ["keeps the order of a key over several appends, and logs"],
    breakLog: (log) => {
      const lane = (counted(log).count += 1) % 4;
      return {
        append: async (records) => {
          for (const record of records) log.place.put(record, lane);
        },
      };
    },
  },
  {
    what: "lets a later append overtake an earlier one",
    noticedBy: ["keeps the order of a key over several appends, and logs"],
    breakLog: (log) => ({
      append: async (records) => {
        for (let turns = (counted(log).count += 1) % 3; turns > 0; turns -= 1) await nextTurn();
        await log.append(records);
      },
    }),
  },
  {
    what: "cannot append nothing",
    noticedBy: ["takes an append of nothing"],
    error: /nothing to append/,
    breakLog: (log) => ({
      append: async (records) => {
        if (records.length === 0) throw new Error("there is nothing to append");
        await log.append(records);
      },
    }),
  },
  {
    what: "loses a record in a hundred",
    noticedBy: ["takes many appends at once, and keeps every record once", "takes a large append"],
    breakLog: (log) => ({
      append: (records) => log.append(records.filter(() => (counted(log).count += 1) % 100 !== 0)),
    }),
  },
  {
    what: "keeps a record in a hundred twice",
    noticedBy: ["takes many appends at once, and keeps every record once"],
    breakLog: (log) => ({
      append: (records) =>
        log.append(records.flatMap((record) => ((counted(log).count += 1) % 100 === 0 ? [record, record] : [record]))),
    }),
  },
  {
    what: "takes 10 000 records of a call",
    noticedBy: ["takes a large append"],
    breakLog: everyAppend((records) => records.slice(0, 10_000)),
  },
  {
    what: "drops records whose id it has had",
    noticedBy: ["keeps a record for each time that it was appended"],
    breakLog: (log) => ({
      append: async (records) => {
        const ids = seenIds(log);
        for (const record of records) {
          if (!ids.has(record.id ?? "")) await log.append([record]);
          ids.add(record.id ?? "");
        }
      },
    }),
  },
  {
    what: "answers before it has appended",
    noticedBy: ["shows everybody what was appended once it is"],
    breakLog: (log) => ({
      append: async (records) => {
        setTimeout(() => void log.append(records).catch(() => undefined), 20);
      },
    }),
  },
  {
    what: "knows the lanes as they were when it was opened",
    noticedBy: ["shows everybody what was appended once it is"],
    breakLog: (log) => {
      const known = log.lanes();
      return { lanes: () => known };
    },
  },
  {
    what: "ends one record early",
    noticedBy: ["gives rising offsets within the lane's start and end"],
    breakLog: everyLane((lane) => (lane.end > lane.start ? { ...lane, end: lane.end - 1n } : lane)),
  },
  {
    what: "says that it starts before its first record",
    noticedBy: ["keeps what is behind the records that are gone"],
    error: /are gone/,
    breakLog: everyLane((lane) => ({ ...lane, start: 0n })),
  },
  {
    what: "gives the records of a piece one offset",
    noticedBy: ["gives rising offsets within the lane's start and end"],
    breakLog: everyPiece((piece) => {
      const last = piece.at(-1)?.offset ?? 0n;
      return [piece.map((record) => ({ ...record, offset: last }))];
    }),
  },
  {
    what: "loses the last record when it is closed",
    noticedBy: ["keeps what was appended when it is opened again"],
    breakLog: (log) => ({
      close: async () => {
        for (const { records } of log.place.lanes) records.pop();
        await log.close();
      },
    }),
  },
  {
    what: "cuts large values",
    noticedBy: ["takes the largest value"],
    breakLog: everyRecord((record) => ({ ...record, value: record.value.slice(0, 1_999_999) })),
  },
  {
    what: "takes a value that it has no room for, cut",
    noticedBy: ["refuses a larger one by name, and goes on"],
    breakLog: everyRecord((record) => ({ ...record, value: record.value.slice(0, 2_000_000) })),
  },
  {
    what: "refuses a value in the client's own words",
    noticedBy: ["refuses a larger one by name, and goes on"],
    breakLog: (log) => ({
      append: async (records) => {
        await log.append(records).catch((error: unknown) => {
          throw new RangeError("MESSAGE_TOO_LARGE", { cause: error });
        });
      },
    }),
  },
];

const reading: readonly LogFault[] = [
  {
    what: "reads from the start, wherever it is asked to",
    noticedBy: ["reads from the middle"],
    breakLog: everyRead((read) => (lane, _, signal) => read(lane, lane.start, signal)),
  },
  {
    what: "reads from behind the record that it is asked for",
    noticedBy: ["reads from the middle"],
    error: mismatchOrInVain,
    breakLog: everyRead(
      (read) => (lane, offset, signal) => read(lane, offset < lane.end ? offset + 1n : offset, signal),
    ),
  },
  {
    what: "ends at the end",
    noticedBy: [
      "waits at the end for what is appended later, by whomever",
      "reads a lane from before its first record",
    ],
    error: /ended by itself|^expected .* to deeply equal/,
    breakLog: everyRead(
      (read) =>
        async function* (lane, offset, signal) {
          if (offset < lane.end) yield* read(lane, offset, signal);
        },
    ),
  },
  {
    what: "does not see what others append",
    noticedBy: ["waits at the end for what is appended later, by whomever"],
    error: inVain,
    breakLog: (log) => {
      const own = new Set<string>();
      return {
        append: async (records) => {
          for (const { id } of records) own.add(id ?? "");
          await log.append(records);
        },
        read: async function* (lane, offset, signal) {
          for await (const piece of log.read(lane, offset, signal)) {
            const seen = piece.filter(({ id }) => own.has(id ?? ""));
            if (seen.length > 0) yield seen;
          }
        },
      };
    },
  },
  {
    what: "reads all lanes in each",
    noticedBy: ["gives nothing of other lanes"],
    breakLog: (log) => ({
      read: async function* () {
        const all = log.place.lanes.flatMap(({ records }) => records);
        yield all.map((record, index) => ({ ...record, offset: BigInt(index) }));
      },
    }),
  },
  {
    what: "has one place for all its readers",
    noticedBy: ["gives every reader everything"],
    error: inVain,
    breakLog: (log) => ({
      read: async function* (lane, offset, signal) {
        const places = cursors(log);
        for await (const piece of log.read(lane, offset, signal)) {
          const mine = piece.filter((record) => record.offset >= (places.get(lane.name) ?? 0n));
          places.set(lane.name, (piece.at(-1)?.offset ?? 0n) + 1n);
          if (mine.length > 0) yield mine;
        }
      },
    }),
  },
  {
    what: "hands out everything at once",
    noticedBy: ["hands out pieces that are not empty, and not much larger than said"],
    breakLog: (log) => ({
      read: async function* (lane) {
        yield log.place.lanes[Number(lane.name)]?.records ?? [];
      },
    }),
  },
  {
    what: "hands out empty pieces",
    noticedBy: ["hands out pieces that are not empty, and not much larger than said"],
    breakLog: everyPiece((piece) => [[], piece]),
  },
  {
    what: "goes on at the end when it was looked for more",
    noticedBy: ["misses nothing that is appended while it is read"],
    error: mismatchOrInVain,
    breakLog: everyRead(
      (_, log) =>
        async function* (lane, offset, signal) {
          const { records = [] } = log.place.lanes[Number(lane.name)] ?? {};
          for (let next = Number(offset); !signal.aborted; next = records.length) {
            if (records.length > next) yield records.slice(next, next + 1);
            else await log.place.change(signal);
          }
        },
    ),
  },
  {
    what: "waits on when the signal aborts",
    noticedBy: [
      "ends without an error when the signal aborts while it waits",
      "ends without an error when the signal aborts between two pieces",
    ],
    error: inVain,
    breakLog: everyRead((read) => (lane, offset) => read(lane, offset, new AbortController().signal)),
  },
  {
    what: "fails when the signal aborts",
    noticedBy: [
      "ends without an error when the signal aborts while it waits",
      "ends without an error when the signal aborts between two pieces",
      "reads nothing when the signal is aborted before",
    ],
    error: /abort|a reason/i,
    breakLog: everyRead(
      (read) =>
        async function* (lane, offset, signal) {
          yield* read(lane, offset, signal);
          signal.throwIfAborted();
        },
    ),
  },
  {
    what: "looks at the signal after the first piece",
    noticedBy: ["reads nothing when the signal is aborted before"],
    breakLog: everyRead(
      (read) =>
        async function* (lane, offset, signal) {
          if (signal.aborted) yield* [await first(read(lane, offset, new AbortController().signal))];
          else yield* read(lane, offset, signal);
        },
    ),
  },
  {
    what: "waits for its readers when it is closed",
    noticedBy: ["closes while it is read"],
    error: inVain,
    breakLog: (log) => {
      let readers = 0;
      return {
        read: async function* (lane, offset, signal) {
          readers += 1;
          yield* log.read(lane, offset, signal);
          readers -= 1;
        },
        close: async () => {
          if (readers > 0) await never();
          await log.close();
        },
      };
    },
  },
];

async function first<Value>(values: AsyncIterable<Value>): Promise<Value> {
  for await (const value of values) return value;
  throw new Error("there is none");
}

/** Reads on from the first record that is there. */
const passesOver: BreakLog = everyRead(
  (read, log) =>
    async function* (lane, offset, signal) {
      for (let next = offset; !signal.aborted; ) {
        const { start = 0n } = log.place.lanes[Number(lane.name)] ?? {};
        try {
          for await (const piece of read(lane, next < start ? start : next, signal)) {
            yield piece;
            next = (piece.at(-1)?.offset ?? next) + 1n;
          }
        } catch (error) {
          if (!(error instanceof RecordsGone)) throw error;
        }
      }
    },
);

const going: readonly LogFault[] = [
  {
    what: "passes over what is gone",
    noticedBy: [
      "says that records are gone, and from where on there are some",
      "says that all records are gone, and goes on with the next",
      "passes over nothing when records go while they are read",
    ],
    error: mismatchOrInVain,
    breakLog: passesOver,
  },
  {
    what: "says that it starts where it was asked for",
    noticedBy: ["says that records are gone, and from where on there are some"],
    breakLog: everyRead(
      (read) =>
        async function* (lane, offset, signal) {
          try {
            yield* read(lane, offset, signal);
          } catch (error) {
            throw error instanceof RecordsGone ? new RecordsGone(lane.name, offset, offset) : error;
          }
        },
    ),
  },
  {
    what: "removes more than what is old",
    noticedBy: ["keeps what is behind the records that are gone"],
    breakPlace: (_, memory) => ({ trim: async (lane, offset) => memory.trim(lane.name, offset + 10n) }),
  },
  {
    what: "begins to count anew when it is empty",
    noticedBy: ["says that all records are gone, and goes on with the next"],
    breakPlace: (_, memory) => ({
      trim: async (lane) => {
        memory.trim(lane.name, lane.end);
        const emptied = memory.lanes[Number(lane.name)];
        if (emptied !== undefined) emptied.start = 0n;
      },
    }),
  },
  {
    what: "waits beyond its end",
    noticedBy: ["says that it ends before what is asked for"],
    breakLog: everyRead((read) => (lane, offset, signal) => read(lane, offset > lane.end ? lane.end : offset, signal)),
  },
  {
    what: "is the same one when it was made anew",
    noticedBy: ["is another one when it was made anew"],
    breakLog: everyLane((lane) => ({ ...lane, incarnation: "always" })),
  },
  {
    what: "keeps its records when it is made anew",
    noticedBy: ["is another one when it was made anew"],
    breakPlace: (_, memory) => ({
      recreate: async () => {
        memory.incarnation = "second";
      },
    }),
  },
  {
    what: "waits for ever in a lane that was replaced",
    noticedBy: ["says that a lane was replaced to whoever waits for its next record"],
    error: inVain,
    breakLog: everyRead(
      (read) =>
        async function* (lane, offset, signal) {
          try {
            yield* read(lane, offset, signal);
          } catch (error) {
            if (error instanceof LaneReplaced) await never();
            throw error;
          }
        },
    ),
  },
  {
    what: "reads what is there now for what was there",
    noticedBy: ["says that a lane was replaced to whoever begins to read it"],
    error: mismatchOrInVain,
    breakLog: everyRead(
      (read, log) => (lane, offset, signal) => read({ ...lane, incarnation: log.place.incarnation }, offset, signal),
    ),
  },
];

const sharing: readonly LogFault[] = [
  {
    what: "assigns lanes without saying where they end",
    noticedBy: ["gives one process all lanes, as they are"],
    breakLog: everyAssignment((lanes) => [lanes.map((lane) => ({ ...lane, end: 0n }))]),
  },
  {
    what: "says the same twice",
    noticedBy: ["gives one process all lanes, as they are"],
    breakLog: everyAssignment((lanes) => [lanes, lanes]),
  },
  {
    what: "gives everybody all lanes",
    noticedBy: ["shares all lanes among two processes", "shares all lanes among more processes than there are lanes"],
    error: inVain,
    breakLog: everyAssignment((_, log) => [log.place.describe()]),
  },
  {
    what: "leaves the first lane to nobody when there are two",
    noticedBy: ["shares all lanes among two processes"],
    error: inVain,
    breakLog: everyAssignment((lanes) => [lanes.length === 4 ? lanes : lanes.filter(({ name }) => name !== "0")]),
  },
  {
    what: "has one group",
    noticedBy: ["gives each group all lanes"],
    error: inVain,
    breakLog: (log) => ({ assignments: (_, signal) => log.assignments("the one", signal) }),
  },
  {
    what: "keeps the lanes of those who leave",
    noticedBy: [
      "hands over the lanes of one whose signal aborts",
      "shares all lanes among more processes than there are lanes",
    ],
    error: inVain,
    breakLog: (log) => ({
      assignments: async function* (group, signal) {
        const ghost = { id: log.place.newId(), group };
        log.place.members.add(ghost);
        for await (const lanes of log.assignments(group, signal)) {
          log.place.members.delete(ghost);
          log.place.changed();
          yield lanes;
          log.place.members.add(ghost);
        }
      },
    }),
  },
  {
    what: "does not leave its groups when it is closed",
    noticedBy: ["hands over the lanes of one that closes"],
    error: inVain,
    breakLog: () => ({ close: async () => {} }),
  },
  {
    what: "waits for ever for those who are dead",
    noticedBy: ["hands over the lanes of one that is killed"],
    error: inVain,
    breakPlace: (place) => ({
      join: async (group) => {
        const process = await place.join?.(group);
        if (process === undefined) throw new Error("the place has no processes");
        return { kill: async () => {} };
      },
    }),
  },
  {
    what: "takes everything away at each change",
    noticedBy: ["leaves the lanes of those who stay where they are as others come and go"],
    breakLog: everyAssignment((lanes) => [[], lanes]),
  },
  {
    what: "fails to end its assignments",
    noticedBy: ["ends without an error when the signal aborts, also before"],
    error: /abort|a reason/i,
    breakLog: (log) => ({
      assignments: async function* (group, signal) {
        yield* log.assignments(group, signal);
        signal.throwIfAborted();
      },
    }),
  },
  {
    what: "settles once",
    noticedBy: ["settles again, backwards, and for groups and lanes that nobody reads"],
    breakLog: (log) => ({
      settle: async () => {
        if ((counted(log).count += 1) > 4) throw new Error("it is settled already");
      },
    }),
  },
  {
    what: "removes what one group has settled",
    noticedBy: [
      "settles again, backwards, and for groups and lanes that nobody reads",
      "reads what a group has settled",
    ],
    breakLog: (log) => ({ settle: async (_, lane, offset) => log.place.trim(lane.name, offset) }),
  },
];

const failing: readonly LogFault[] = [
  {
    what: "does not say what it has done",
    noticedBy: ["says what append has done when it resolves"],
    breakLog: (log) => ({ facts: { ...log.facts, durability: "" } }),
  },
  {
    what: "appends when it is closed",
    noticedBy: ["refuses to append once it is closed, and closes twice"],
    breakLog: () => ({ append: async () => {} }),
  },
  {
    what: "lets appends wait for ever once it is closed",
    noticedBy: ["refuses to append once it is closed, and closes twice"],
    breakLog: (log) => ({
      append: async (records) => {
        await log.append(records).catch(never);
      },
    }),
  },
  {
    what: "lets go of appends when it is closed",
    noticedBy: ["finishes what is being appended when it is closed"],
    error: inVain,
    breakLog: (log) => {
      const closing = Promise.withResolvers<void>();
      return {
        append: async (records) => {
          if (await Promise.race([closing.promise.then(() => true), nextTurn(false)])) await never();
          await log.append(records);
        },
        close: async () => closing.resolve(),
      };
    },
  },
  {
    what: "wraps what is explained already",
    noticedBy: ["explains and sorts errors of its own and of others"],
    breakLog: (log) => ({
      explain: (error) => new MillraceError("INTERNAL", `${log.shown}: it failed`, { remedy: "None.", cause: error }),
    }),
  },
  {
    what: "leaves errors as they are",
    noticedBy: ["explains and sorts errors of its own and of others"],
    breakLog: () => ({ explain: (error) => (error instanceof Error ? error : new Error("odd", { cause: error })) }),
  },
  {
    what: "says of everything that it passes",
    noticedBy: ["explains and sorts errors of its own and of others"],
    breakLog: () => ({ classify: () => "wait" }),
  },
  {
    what: "shows its password",
    noticedBy: ["says why it cannot be opened, without secrets"],
    breakPlace: (place) => ({
      unusable: async () => {
        const unusable = await place.unusable?.();
        if (unusable === undefined) throw new Error("the place is always usable");
        return { ...unusable, secrets: ["memory"] };
      },
    }),
  },
  {
    what: "opens where it cannot",
    noticedBy: ["says why it cannot be opened, without secrets"],
    error: /fails without a code/,
    breakPlace: (place) => ({ unusable: async () => ({ log: await place.log(), secrets: [] }) }),
  },
];

export const logFaults: readonly LogFault[] = [...appending, ...reading, ...going, ...sharing, ...failing];
