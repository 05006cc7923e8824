/** An answer to an insight: JSON text of an array of records, ready to be sent. The Buffer is shared: never changed. */
export interface InsightAnswer {
  readonly body: Buffer;
  /** As it stands in the header, with its quotes. The same for the same bytes. */
  readonly etag: string;
}

interface Kept {
  readonly answer: InsightAnswer;
  /** Of the tables, taken before they were read. */
  readonly version: number;
  readonly readAtMs: number;
}

/** What an entry takes beside its body and key, about. */
const entryBytes = 300;

/** Answers by key, the one given longest ago leaves first. Bounded in entries and in bytes. */
export class InsightCache {
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  /** In the order of their last use. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(entriesMax: number, bytesMax: number) {
    this.#entriesMax = entriesMax;
    this.#bytesMax = bytesMax;
  }

  get entries(): number {
    return this.#kept.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Kept | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return kept;
  }

  put(key: string, kept: Kept): void {
    this.remove(key);
    this.#kept.set(key, kept);
    this.#bytes += bytesOf(key, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#entriesMax && this.#bytes <= this.#bytesMax) return;
      this.remove(oldest);
    }
  }

  remove(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= bytesOf(key, kept);
  }
}

function bytesOf(key: string, { answer }: Kept): number {
  return entryBytes + 2 * key.length + answer.body.byteLength;
}
