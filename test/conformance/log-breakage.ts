// Logs that are broken in one way each, and which behaviours of the suite have to notice it.
import type { LogPlace } from "../../src/conformance/index.ts";
import type { Assignment, KeptRecord, Log, LogLane, LogRecord } from "../../src/ports/log.ts";
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
export const inVain = /^waited for/;
export const mismatchOrInVain = /^(waited for|expected .* to deeply equal)/;

export type BreakLog = NonNullable<LogFault["breakLog"]>;
export type Read = Log["read"];

export const everyAppend =
  (change: (records: readonly LogRecord[]) => readonly LogRecord[]): BreakLog =>
  (log) => ({ append: (records) => log.append(change(records)) });

export const everyRecord = (change: (record: LogRecord) => LogRecord): BreakLog =>
  everyAppend((records) => records.map(change));

export const everyLane =
  (change: (lane: LogLane, log: MemoryLog) => LogLane): BreakLog =>
  (log) => ({ lanes: async () => (await log.lanes()).map((lane) => change(lane, log)) });

export const everyRead =
  (change: (read: Read, log: MemoryLog) => Read): BreakLog =>
  (log) => ({ read: change((lane, offset, signal) => log.read(lane, offset, signal), log) });

export const everyPiece = (
  change: (piece: readonly KeptRecord[], lane: LogLane) => readonly (readonly KeptRecord[])[],
): BreakLog =>
  everyRead(
    (read) =>
      async function* (lane, offset, signal) {
        for await (const piece of read(lane, offset, signal)) yield* change(piece, lane);
      },
  );

export const everyAssignment =
  (change: (assignment: Assignment, log: MemoryLog) => readonly Assignment[]): BreakLog =>
  (log) => ({
    assignments: async function* (group, signal) {
      for await (const assignment of log.assignments(group, signal)) yield* change(assignment, log);
    },
  });

export function without<Thing extends object>(thing: Thing, name: keyof Thing): Thing {
  return Object.fromEntries(Object.entries(thing).filter(([one]) => one !== name)) as Thing;
}

export function asText(bytes: Uint8Array): Uint8Array {
  return new TextEncoder().encode(new TextDecoder().decode(bytes));
}

export const never = (): Promise<never> => new Promise(() => {});

/** What several logs of a place have in common although they should not. */
export const perPlace = <Value extends object>(make: () => Value): ((log: MemoryLog) => Value) => {
  const values = new WeakMap<MemoryPlace, Value>();
  return ({ place }) => {
    const value = values.get(place) ?? make();
    values.set(place, value);
    return value;
  };
};

export const counted = perPlace(() => ({ count: 0 }));
export const seenIds = perPlace(() => new Set<string>());
export const cursors = perPlace(() => new Map<string, bigint>());
