import { setTimeout as sleep } from "node:timers/promises";
import { kafkaLog } from "../../src/adapters/kafka/index.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { LogRecord } from "../../src/ports/log.ts";
import { eventOf } from "./events.ts";

const piece = 2_000;

/** A topic that holds these events, keyed by vehicle. */
export async function fillTopic(url: string, rows: number): Promise<void> {
  const context = { now: () => Date.now(), pause, notice: (text: string) => console.error(text) };
  const log = kafkaLog(parsePlace(url), context);
  try {
    await log.open();
    for (let from = 0; from < rows; from += piece) {
      await log.append(Array.from({ length: Math.min(piece, rows - from) }, (_, at) => recordOf(from + at)));
    }
  } finally {
    await log.close();
  }
}

export function recordOf(index: number): LogRecord {
  const event = eventOf(index);
  return { key: Buffer.from(event.vin), value: Buffer.from(JSON.stringify(event)), timeMs: Date.now() };
}

async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal });
}
