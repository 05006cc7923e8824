import { randomUUID } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { limit } from "../../core/limit.ts";
import type { KeptRecord, LogLane } from "../../ports/log.ts";
import { type Address, standardLanes } from "./address.ts";
import { Bell } from "./bell.ts";
import {
  bigintOf,
  fileNumber,
  inTransaction,
  loadSqlite,
  offsetOfPiece,
  pieceId,
  readersFile,
  recordsFile,
  withFiles,
} from "./database.ts";
import { Meeting } from "./meeting.ts";
import { recordsOf } from "./row-bytes.ts";
import type { SteadyClock } from "./steady-clock.ts";
import { WriterThread } from "./writer-thread.ts";

interface Parts {
  readonly records: DatabaseSync;
  readonly readers: DatabaseSync;
  readonly bell: Bell;
  readonly incarnation: string;
}

/**
 * A log's folder, open in this process: what reads it, and the thread that writes to it. All but writing is a matter of
 * microseconds and done at once; what another process has locked meanwhile throws (see `isBusy`) and may be tried again.
 */
export class Folder {
  readonly incarnation: string;
  readonly meeting: Meeting;
  readonly bell: Bell;
  readonly #address: Address;
  readonly #records: DatabaseSync;
  readonly #readers: DatabaseSync;
  readonly #file: string | undefined;
  readonly #version: StatementSync;
  readonly #lanes: StatementSync;
  readonly #pieces: StatementSync;
  #thread: WriterThread | undefined;

  /** Creates what is missing: the files, the log, its lanes. `ring` is called when something may have been appended. */
  static async open(address: Address, clock: SteadyClock, ring: () => void): Promise<Folder> {
    const sqlite = await loadSqlite();
    return withFiles(sqlite, address, (open) => {
      const records = open(recordsFile);
      const incarnation = prepareLog(records, address, clock);
      const readers = open(readersFile);
      prepareReaders(readers, incarnation);
      const bell = new Bell(address.folder, ring);
      return new Folder(address, clock, { records, readers, bell, incarnation });
    });
  }

  private constructor(address: Address, clock: SteadyClock, { records, readers, bell, incarnation }: Parts) {
    this.incarnation = incarnation;
    this.bell = bell;
    this.meeting = new Meeting(readers, clock);
    this.#address = address;
    this.#records = records;
    this.#readers = readers;
    this.#file = fileNumber(address.folder);
    this.#version = records.prepare("pragma data_version");
    this.#lanes = records.prepare("select lane, first, next from lane order by lane");
    // From the piece on that has the offset within it.
    this.#pieces = records.prepare(
      `select id, records, bytes from piece where id between
coalesce((select max(id) from piece where id between ?1 and ?2), ?2) and ?3 order by id`,
    );
  }

  /** Whether the file was removed, or another one stands in its place. */
  get isReplaced(): boolean {
    return fileNumber(this.#address.folder) !== this.#file;
  }

  /** Another one whenever something was written, by whomever: all is written by others than what reads here. */
  get version(): bigint {
    return bigintOf(this.#version.get(), "data_version");
  }

  lanes(): readonly LogLane[] {
    return this.#lanes.all().map((row) => ({
      name: String(row["lane"]),
      incarnation: this.incarnation,
      start: bigintOf(row, "first"),
      end: bigintOf(row, "next"),
    }));
  }

  /** Records from `offset` on, or from the first one behind it, of about `limit.logPieceBytes`; none at the end. */
  recordsFrom(name: string, offset: bigint): readonly KeptRecord[] {
    const lane = BigInt(name);
    const records: KeptRecord[][] = [];
    let bytes = 0;
    const [first, wanted, last] = [pieceId(lane, 0n), pieceId(lane, offset), pieceId(lane, 2n ** 53n - 1n)];
    for (const row of this.#pieces.iterate(first, wanted, last)) {
      const base = offsetOfPiece(bigintOf(row, "id"));
      const count = Number(bigintOf(row, "records"));
      if (base + BigInt(count) <= offset) continue;
      const piece = row["bytes"];
      if (!(piece instanceof Uint8Array)) throw new TypeError("a piece is no bytes");
      if (bytes > 0 && bytes + piece.length > limit.logPieceBytes) break;
      records.push(recordsOf(piece, count, base, offset));
      bytes += piece.length;
      if (bytes >= limit.logPieceBytes) break;
    }
    return records.flat();
  }

  /** The thread that writes, begun when it is first asked for. */
  get thread(): WriterThread {
    if (this.#thread === undefined || this.#thread.isDead) {
      const { shown, folder, retentionMs, bytesMax } = this.#address;
      this.#thread = new WriterThread({ shown, folder, retentionMs, bytesMax, incarnation: this.incarnation });
    }
    return this.#thread;
  }

  /** The last to let go of a file folds its write-ahead log into it: best the thread, where there is one. */
  async close(): Promise<void> {
    this.bell.close();
    this.#readers.close();
    this.#records.close();
    await this.#thread?.close();
  }
}

/** Answers the incarnation. */
function prepareLog(records: DatabaseSync, { folder, lanes }: Address, clock: SteadyClock): string {
  const find = records.prepare("select incarnation, (select count(*) from lane) as lanes from log");
  const isReady = (): boolean => {
    const found = find.get();
    return found !== undefined && bigintOf(found, "lanes") >= BigInt(lanes ?? 1);
  };
  if (!isReady()) {
    inTransaction(records, () => {
      const { boot, ms } = clock();
      if (find.get() === undefined) {
        const insert = records.prepare("insert into log (incarnation, boot, steady_ms, age_ms) values (?, ?, ?, 0)");
        insert.run(randomUUID(), boot, ms);
      }
      const insert = records.prepare("insert into lane (lane, first, next) values (?, 0, 0)");
      for (let lane = Number(bigintOf(find.get(), "lanes")); lane < (lanes ?? standardLanes); lane += 1) {
        insert.run(lane);
      }
    });
  }
  syncRecovered(folder);
  return String(find.get()?.["incarnation"]);
}

/**
 * What a killed process had written and not yet synced may have become visible when the write-ahead log was read again:
 * it is synced before anybody reads it here.
 */
function syncRecovered(folder: string): void {
  const path = join(folder, `${recordsFile.name}-wal`);
  // SQLite has no locks on this file that closing it could drop. There is none where the file system cannot have one.
  if (!existsSync(path)) return;
  const handle = openSync(path, "r+");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** What groups have settled is of one incarnation. */
function prepareReaders(readers: DatabaseSync, incarnation: string): void {
  const isReady = (): boolean => readers.prepare("select incarnation from log").get()?.["incarnation"] === incarnation;
  if (isReady()) return;
  inTransaction(readers, () => {
    if (isReady()) return;
    readers.exec("delete from log; delete from reader_group; delete from member; delete from settled");
    readers.prepare("insert into log (incarnation) values (?)").run(incarnation);
  });
}
