import { setImmediate as nextTurn } from "node:timers/promises";
import {
  asText,
  counted,
  everyAppend,
  everyLane,
  everyPiece,
  everyRecord,
  seenIds,
  without,
  type LogFault,
} from "./log-breakage.ts";

export const appending: readonly LogFault[] = [
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
