import type { JsonObject } from "../core/json.ts";
import type { LaneReader, RawBatch } from "../ports/source.ts";
import { byteOf } from "./csv/dialect.ts";
import type { Frame, Framed, ReadBounds } from "./frame.ts";
import type { FilePosition } from "./position.ts";
import type { ByteWindow } from "./window.ts";

export interface FramedReading {
  readonly window: ByteWindow;
  readonly frame: Frame;
  readonly format: JsonObject;
  /** Position of the window's first byte. */
  readonly start: FilePosition;
  readonly bounds: ReadBounds;
  /** Called when the reader is closed, after the stream. */
  close(): Promise<void>;
}

/** The first batch is small, so that the sink has something to do soon; the next ones grow to the full size. */
const firstBatchBytes = 1024 * 1024;
const batchGrowth = 4;

/** Reads records out of a stream of decoded bytes, a batch at a time. */
export function framedReader(reading: FramedReading): LaneReader {
  const { batchBytes } = reading.bounds;
  let position = reading.start;
  let most = Math.min(batchBytes, firstBatchBytes);
  return {
    async next() {
      const step = await nextBatch(reading, position, most);
      position = step.position;
      most = Math.min(batchBytes, most * batchGrowth);
      return step.batch;
    },
    async close() {
      await reading.window.close();
      await reading.close();
    },
  };
}

interface Step {
  readonly position: FilePosition;
  readonly batch: RawBatch | undefined;
}

async function nextBatch(
  { window, frame, format, bounds }: FramedReading,
  from: FilePosition,
  batchBytes: number,
): Promise<Step> {
  let position = from;
  let size = batchBytes;
  for (;;) {
    await window.fill(size);
    if (window.bytes.length === 0 && window.failure === undefined) return { position, batch: undefined };
    const framed = window.bytes.length === 0 ? undefined : frame(window.bytes, window.ended, position);
    if (framed === undefined) {
      if (window.failure !== undefined) throw window.failure.error;
      // One record more than the bound shows that the bound is passed.
      size = Math.max(bounds.recordBytes + 1, window.bytes.length + 1);
      continue;
    }
    const end = await takeFramed(window, framed, position);
    if (framed.read > 0) return { position: end, batch: batchOf(framed, position, end, format) };
    position = end;
    size = batchBytes;
  }
}

/** Moves the window behind the framed records and says where it stands then. */
async function takeFramed(window: ByteWindow, framed: Framed, from: FilePosition): Promise<FilePosition> {
  const lastByte = window.bytes[framed.taken - 1];
  window.take(framed.taken);
  const rest = framed.rest === undefined ? nothingLeft : await window.skipRest(framed.rest);
  const end = {
    ...from,
    byte: from.byte + framed.taken + rest.taken,
    row: from.row + framed.read,
    line: from.line + framed.lines + rest.lines,
  };
  if (!window.ended || window.bytes.length > 0) return end;
  const terminated = framed.rest === undefined ? lastByte === byteOf.lf : rest.found;
  return terminated ? { ...end, done: true } : { ...end, done: true, open: true };
}

const nothingLeft = { taken: 0, lines: 0, found: false };

function batchOf(framed: Framed, start: FilePosition, end: FilePosition, format: JsonObject): RawBatch {
  return {
    start,
    end,
    read: framed.read,
    sizeBytes: end.byte - start.byte,
    records: framed.records,
    count: framed.count,
    malformed: framed.malformed,
    recordOf: (index) => framed.recordOf(index),
    at: (index) => framed.at(index),
    format,
  };
}
