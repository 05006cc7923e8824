import { cursors, everyPiece, everyRead, inVain, mismatchOrInVain, never, type LogFault } from "./log-breakage.ts";

export const reading: readonly LogFault[] = [
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
