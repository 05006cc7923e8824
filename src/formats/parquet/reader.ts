import type { JsonObject } from "../../core/json.ts";
import type { EngineConnection, EngineHost } from "../../ports/engine.ts";
import type { LaneReader, RawBatch } from "../../ports/source.ts";
import type { ReadBounds } from "../frame.ts";
import type { FilePosition } from "../position.ts";
import { type ParquetLayout, unreadableParquet } from "./layout.ts";

export const parquetFormat: JsonObject = { format: "json" };

export interface ParquetReading {
  readonly layout: ParquetLayout;
  readonly source: string;
  readonly start: FilePosition;
  readonly bounds: ReadBounds;
  readonly engine: EngineHost;
  /** Throws when the file is not what it was; asked before each batch is handed on. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Reads the rows of a Parquet file as JSON records: the engine decodes it as one stream, so that each row group is
 * read once; rows before the position are skipped.
 */
export function parquetReader(reading: ParquetReading): LaneReader {
  const rows = new RowStream(reading);
  let position = reading.start;
  return {
    async next() {
      const records = await rows.take(reading.bounds);
      await reading.check();
      if (records.length === 0) return undefined;
      const batch = batchOf(records, position, reading);
      position = batch.end as FilePosition;
      return batch;
    },
    async close() {
      await rows.close();
      await reading.close();
    },
  };
}

/** Rows as JSON texts, read ahead by one piece of the engine's at most. */
class RowStream {
  readonly #reading: ParquetReading;
  #connection: EngineConnection | undefined;
  #pieces: AsyncIterator<readonly Readonly<Record<string, unknown>>[]> | undefined;
  #held: Buffer[] = [];

  constructor(reading: ParquetReading) {
    this.#reading = reading;
  }

  async take({ batchBytes, batchRecords }: ReadBounds): Promise<Buffer[]> {
    const taken: Buffer[] = [];
    let size = 0;
    for (;;) {
      let used = 0;
      for (const record of this.#held) {
        if (taken.length > 0 && (size + record.length > batchBytes || taken.length >= batchRecords)) break;
        taken.push(record);
        size += record.length;
        used += 1;
      }
      this.#held = this.#held.slice(used);
      if (this.#held.length > 0) return taken;
      const more = await this.#more();
      if (more === undefined) return taken;
      this.#held = more;
    }
  }

  async close(): Promise<void> {
    await this.#pieces?.return?.();
    this.#connection?.close();
  }

  async #more(): Promise<Buffer[] | undefined> {
    const { engine, layout, start, source } = this.#reading;
    if (start.row >= layout.rows) return undefined;
    this.#connection ??= await engine.connect();
    this.#pieces ??= this.#connection.stream(`${layout.sql} offset ${start.row}`)[Symbol.asyncIterator]();
    try {
      const step = await this.#pieces.next();
      return step.done === true ? undefined : step.value.map(({ record }) => Buffer.from(record as string, "utf8"));
    } catch (cause) {
      throw unreadableParquet(source, cause);
    }
  }
}

function batchOf(records: readonly Buffer[], start: FilePosition, { layout }: ParquetReading): RawBatch {
  const newline = Buffer.from("\n");
  const text = Buffer.concat(records.flatMap((record) => [record, newline]));
  const row = start.row + records.length;
  const { done: _, ...from } = start;
  const end = row >= layout.rows ? { ...from, row, done: true } : { ...from, row };
  return {
    start,
    end,
    read: records.length,
    // Rows have no bytes of the file of their own: its size in proportion.
    sizeBytes: Math.round((start.sizeBytes * records.length) / Math.max(1, layout.rows)),
    records: { kind: "json", text },
    count: records.length,
    malformed: [],
    recordOf: (index) => index,
    at: (index) => ({ line: undefined, offset: BigInt(start.row + index), bytes: records[index] as Buffer }),
    format: parquetFormat,
  };
}
