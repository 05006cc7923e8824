import type { DatabaseSync, StatementSync } from "node:sqlite";
import { limit } from "../../core/limit.ts";
import { isSqliteBusy } from "../../core/system-failure.ts";
import { BellRope } from "./bell.ts";
import {
  bigintOf,
  fileNumber,
  inTransaction,
  loadSqlite,
  pieceId,
  readersFile,
  recordsFile,
  withFiles,
} from "./database.ts";
import { logFull, removedMeanwhile } from "./errors.ts";
import { type Age, ageAt, type Moment } from "./steady-clock.ts";
import { portion, type SettledByAll, settledByAll, Trimming } from "./trimming.ts";

/** What a writer has to know of its log. Plain data: it goes to another thread. */
export interface WriterSettings {
  readonly shown: string;
  readonly folder: string;
  readonly incarnation: string;
  readonly retentionMs: number;
  readonly bytesMax: number;
}

/** Consecutive records of a lane, as they are stored. */
export interface Piece {
  readonly lane: number;
  readonly records: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What may pass before the age is noted again. Not counted when the machine stops meanwhile. */
const noteAgeMs = 600_000;
/** Room that is made beyond what is needed, so that not every append has to make some. */
const spareBytes = 4 * 2 ** 20;

/**
 * Appends, and removes what is old. Whatever it does waits for the disk with its thread standing still, so it has one of
 * its own.
 */
export class Writer {
  readonly #settings: WriterSettings;
  readonly #records: DatabaseSync;
  readonly #readers: DatabaseSync;
  readonly #trimming: Trimming;
  readonly #rope: BellRope;
  readonly #file: string | undefined;
  readonly #statements: Readonly<Record<"lanes" | "age" | "setAge" | "next" | "setNext" | "insert", StatementSync>>;

  static async open(settings: WriterSettings): Promise<Writer> {
    const sqlite = await loadSqlite();
    return patiently(() =>
      withFiles(sqlite, settings, (open) => new Writer(settings, open(recordsFile), open(readersFile))),
    );
  }

  private constructor(settings: WriterSettings, records: DatabaseSync, readers: DatabaseSync) {
    this.#settings = settings;
    this.#records = records;
    this.#readers = readers;
    this.#rope = new BellRope(settings.folder);
    this.#file = fileNumber(settings.folder);
    this.#trimming = new Trimming(records);
    this.#statements = {
      lanes: records.prepare("select incarnation, (select count(*) from lane) as lanes from log"),
      age: records.prepare("select boot, steady_ms, age_ms from log"),
      setAge: records.prepare("update log set boot = ?, steady_ms = ?, age_ms = ?"),
      next: records.prepare("select next from lane where lane = ?"),
      setNext: records.prepare("update lane set next = ? where lane = ?"),
      insert: records.prepare("insert into piece (id, records, age_ms, bytes) values (?, ?, ?, ?)"),
    };
  }

  /**
   * Appends all pieces, on the disk on return. Where the log has another number of lanes than they were made for, appends
   * nothing and answers that number. Throws SINK_FULL, before anything is appended.
   */
  append(pieces: readonly Piece[], lanes: number, now: Moment): number {
    const found = this.#commit((count) => {
      if (count !== lanes) return count;
      const ageMs = this.#age(now);
      this.#makeRoom(pieces);
      for (const piece of pieces) this.#insert(piece, ageMs);
      return lanes;
    });
    // The file may have been removed with the folder: then nobody will find what was written into it.
    if (fileNumber(this.#settings.folder) !== this.#file) throw removedMeanwhile(this.#settings.shown);
    return found;
  }

  /** Removes a part of what is old and settled; answers whether there is more. */
  trim(now: Moment): boolean {
    const settled = patiently(() => settledByAll(this.#readers, this.#settings.incarnation));
    return this.#commit(() => {
      const beforeAgeMs = this.#age(now) - BigInt(this.#settings.retentionMs);
      return this.#trimming.run({ beforeAgeMs, settled: settled.nextOf, enough: portion() });
    });
  }

  /** Tells the other processes that there is more; its own knows it from the answer. */
  ring(): void {
    this.#rope.pull();
  }

  close(): void {
    this.#rope.close();
    this.#readers.close();
    this.#records.close();
  }

  /** `work` is given the number of lanes. */
  #commit<Result>(work: (lanes: number) => Result): Result {
    return patiently(() =>
      inTransaction(this.#records, () => {
        const row = this.#statements.lanes.get();
        if (row?.["incarnation"] !== this.#settings.incarnation) throw removedMeanwhile(this.#settings.shown);
        return work(Number(bigintOf(row, "lanes")));
      }),
    );
  }

  #insert({ lane, records, bytes }: Piece, ageMs: bigint): void {
    const next = bigintOf(this.#statements.next.get(lane), "next");
    this.#statements.insert.run(pieceId(BigInt(lane), next), records, ageMs, bytes);
    this.#statements.setNext.run(next + BigInt(records), lane);
  }

  /** The age of the log. Noted now and then, and after each boot, as time counts from there. */
  #age(now: Moment): bigint {
    const row = this.#statements.age.get();
    const noted: Age = { boot: String(row?.["boot"]), ms: Number(row?.["steady_ms"]), ageMs: Number(row?.["age_ms"]) };
    const ageMs = ageAt(noted, now);
    const isDue = noted.boot !== now.boot || ageMs - noted.ageMs > noteAgeMs;
    if (isDue) this.#statements.setAge.run(now.boot, now.ms, ageMs);
    return BigInt(Math.floor(ageMs));
  }

  /** Old records that are settled give way to new ones, others do not. Throws SINK_FULL. */
  #makeRoom(pieces: readonly Piece[]): void {
    const { bytesMax, shown, incarnation } = this.#settings;
    const needed = pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const missing = (): number => this.#trimming.usedBytes + needed - bytesMax;
    if (missing() <= 0) return;
    const settled = settledByAll(this.#readers, incarnation);
    const spare = Math.min(spareBytes, bytesMax / 16);
    for (let more = missing() + spare; more > 0 && settled.groups > 0; more = missing() + spare) {
      if (!this.#trimming.run({ settled: settled.nextOf, enough: (bytes) => bytes >= more })) break;
    }
    if (missing() > 0) throw logFull(shown, bytesMax, whyFull(settled));
  }
}

function whyFull({ groups, last }: SettledByAll): string {
  if (groups === 0) return "nobody has read them yet";
  return `those that are left were not read by ${groups > 1 ? "all groups; the last one is " : ""}${last ?? "one group"}`;
}

/** For as long as another process writes, up to `limit.lockMs`; looks often, as locks are free for moments. */
const lookMsMax = 2;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

function patiently<Result>(work: () => Result): Result {
  const start = performance.now();
  for (let lookMs = 0.1; ; lookMs = Math.min(lookMsMax, lookMs * 1.5)) {
    try {
      return work();
    } catch (error) {
      if (!isSqliteBusy(error) || performance.now() - start > limit.lockMs) throw error;
      Atomics.wait(sleeper, 0, 0, lookMs);
    }
  }
}
