import { setImmediate as nextTurn } from "node:timers/promises";
import { MillraceError } from "../../src/core/error.ts";
import { LaneReplaced, RecordsGone } from "../../src/ports/log.ts";
import {
  counted,
  everyAssignment,
  everyLane,
  everyRead,
  inVain,
  mismatchOrInVain,
  never,
  type LogFault,
  type BreakLog,
} from "./log-breakage.ts";

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

export const going: readonly LogFault[] = [
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

export const sharing: readonly LogFault[] = [
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

export const failing: readonly LogFault[] = [
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
