import type { SQLOutputValue } from "node:sqlite";
import type { ReplicaEntry } from "../../ports/replicas.ts";

type Row = Readonly<Record<string, SQLOutputValue>>;

/**
 * Goes through the rows of a content, in order, beside entries that are most often those very rows: as long as they are, none of
 * them has to be looked for.
 */
export class ContentWalk {
  readonly #page: (from: number) => Promise<readonly Row[]>;
  #ahead: readonly Row[] = [];
  #at = 0;
  #isTogether = true;
  /** Rows that were walked over. */
  rows = 0;
  /** Number of the row behind them. */
  next = 0;

  /** `page` gives the rows from a number on; none behind the last. */
  constructor(page: (from: number) => Promise<readonly Row[]>) {
    this.#page = page;
  }

  /** Walks over the rows that the entries are, up to the first that is another; gives the entries that are left. */
  async leave(entries: readonly ReplicaEntry[]): Promise<readonly ReplicaEntry[]> {
    for (const [index, { key, value }] of entries.entries()) {
      if (!this.#isTogether) return entries.slice(index);
      if (this.#at === this.#ahead.length) {
        this.#ahead = await this.#page(this.next);
        this.#at = 0;
      }
      const row = this.#ahead[this.#at];
      this.#isTogether = row?.["key"] === key && row["value"] === value;
      if (row === undefined || !this.#isTogether) return entries.slice(index);
      this.#at += 1;
      this.rows += 1;
      this.next = Number(row["row"]) + 1;
    }
    return [];
  }
}
