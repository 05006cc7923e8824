import type { DatabaseSync, StatementSync } from "node:sqlite";
import { limit } from "../../core/limit.ts";
import { bigintOf, offsetOfPiece, pieceId, type Row } from "./database.ts";

/** How far all groups have settled the lanes. */
export interface SettledByAll {
  readonly groups: number;
  /** The offset of a lane before which nobody waits for a record: any, where there is no group. */
  readonly nextOf: (lane: bigint) => bigint;
  /** A group that is furthest back. */
  readonly last: string | undefined;
}

/** Reads it from the file of readers. Where that is of another incarnation, it is not known who waits for what. */
export function settledByAll(readers: DatabaseSync, incarnation: string): SettledByAll {
  if (readers.prepare("select incarnation from log").get()?.["incarnation"] !== incarnation) {
    return { groups: 0, nextOf: () => 0n, last: undefined };
  }
  const names = readers
    .prepare("select name from reader_group")
    .all()
    .map((row) => String(row["name"]));
  const rows = readers.prepare("select name, lane, next from settled").all();
  const byGroup = new Map(names.map((name) => [name, new Map<bigint, bigint>()]));
  for (const row of rows) byGroup.get(String(row["name"]))?.set(bigintOf(row, "lane"), bigintOf(row, "next"));
  const sums = [...byGroup].map(([name, lanes]) => ({ name, sum: [...lanes.values()].reduce((a, b) => a + b, 0n) }));
  return {
    groups: names.length,
    nextOf: (lane) => [...byGroup.values()].map((lanes) => lanes.get(lane) ?? 0n).reduce(least, 2n ** 62n),
    last: sums.reduce<(typeof sums)[number] | undefined>(
      (a, b) => (a !== undefined && a.sum <= b.sum ? a : b),
      undefined,
    )?.name,
  };
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}

/** The oldest piece of a lane. */
interface Head {
  readonly lane: bigint;
  readonly id: bigint;
  readonly next: bigint;
  readonly ageMs: bigint;
  readonly bytes: bigint;
}

/** Which pieces may go. */
export interface TrimRule {
  /** Those older than this; all where it is absent. */
  readonly beforeAgeMs?: bigint;
  /** Those that end at this offset of their lane or before. */
  readonly settled: (lane: bigint) => bigint;
  /** Asked after each: whether that is enough. */
  readonly enough: (bytes: number) => boolean;
}

/** Removes the oldest pieces of all lanes, whole ones alone. */
export class Trimming {
  readonly #used: StatementSync;
  readonly #head: StatementSync;
  readonly #remove: StatementSync;
  readonly #lanes: StatementSync;
  readonly #start: StatementSync;

  constructor(database: DatabaseSync) {
    this.#used = database.prepare(
      `select (pages.page_count - free.freelist_count) * size.page_size as bytes
from pragma_page_count as pages, pragma_freelist_count as free, pragma_page_size as size`,
    );
    this.#head = database.prepare(
      "select id, records, age_ms, length(bytes) as bytes from piece where id between ? and ? order by id limit 1",
    );
    this.#remove = database.prepare("delete from piece where id = ?");
    this.#lanes = database.prepare("select lane, next from lane");
    this.#start = database.prepare("update lane set first = ? where lane = ?");
  }

  /** Within a transaction. Answers whether it stopped before all that may go was gone, as it was enough. */
  run({ beforeAgeMs, settled, enough }: TrimRule): boolean {
    const mayGo = (head: Head | undefined): head is Head =>
      head !== undefined && head.next <= settled(head.lane) && (beforeAgeMs === undefined || head.ageMs < beforeAgeMs);
    const lanes = this.#lanes.all().map((row) => ({ lane: bigintOf(row, "lane"), end: bigintOf(row, "next") }));
    const heads = lanes.map(({ lane }) => this.#headOf(lane)).filter(mayGo);
    let removed = 0;
    let isEnough = false;
    while (heads.length > 0 && !isEnough) {
      const index = oldest(heads);
      const head = heads[index];
      if (head === undefined) break;
      this.#remove.run(head.id);
      const next = this.#headOf(head.lane);
      const end = lanes.find(({ lane }) => lane === head.lane)?.end ?? head.next;
      this.#start.run(next === undefined ? end : offsetOfPiece(next.id), head.lane);
      heads.splice(index, 1, ...(mayGo(next) ? [next] : []));
      removed += Number(head.bytes);
      isEnough = enough(removed);
    }
    return isEnough && heads.length > 0;
  }

  /** Bytes of the file that hold something. Free pages are used again before the file grows. */
  get usedBytes(): number {
    return Number(bigintOf(this.#used.get(), "bytes"));
  }

  #headOf(lane: bigint): Head | undefined {
    const row: Row | undefined = this.#head.get(pieceId(lane, 0n), pieceId(lane, 2n ** 53n - 1n));
    if (row === undefined) return undefined;
    const id = bigintOf(row, "id");
    const next = offsetOfPiece(id) + bigintOf(row, "records");
    return { lane, id, next, ageMs: bigintOf(row, "age_ms"), bytes: bigintOf(row, "bytes") };
  }
}

function oldest(heads: readonly Head[]): number {
  let found = 0;
  for (const [index, { ageMs }] of heads.entries()) if (ageMs < (heads[found]?.ageMs ?? 0n)) found = index;
  return found;
}

/** Stops after as much as one transaction may remove, so that nobody waits for long. */
export function portion(): (bytes: number) => boolean {
  let rows = 0;
  return (bytes) => {
    rows += 1;
    return rows >= limit.embeddedTrimRows || bytes >= limit.embeddedTrimBytes;
  };
}
