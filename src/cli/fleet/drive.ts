import { setTimeout as pause } from "node:timers/promises";
import { Pool } from "undici";
import { retryPauseMs } from "../../core/retry.ts";
import type { Vehicle } from "./vehicle.ts";

export interface Drive {
  readonly url: string;
  readonly vehicles: readonly Vehicle[];
  /** Between two events of a vehicle. */
  readonly delayMs: number;
  /** Requests under way at once. */
  readonly connections: number;
  readonly random: () => number;
  /** Aborts to end: no new events, and those under way get `graceMs` to be answered. */
  readonly stop: AbortSignal;
  readonly graceMs: number;
}

/** Events, each counted once however often it had to be sent. */
export interface DriveCounts {
  /** Made and sent at least once. */
  sent: number;
  /** Answered with 200: they are durable. */
  answered: number;
  /** Given up: refused by the server, or not answered before the end. */
  failed: number;
  /** Attempts that failed and were made again. */
  retries: number;
}

const requestMs = 30_000;

/**
 * Drives the vehicles until stopped. Each sends its events one after another; one that is not answered is sent again as
 * it is, later each time, so that the server can tell that it is the same. Resolves when nothing is under way any more.
 */
export async function drive(options: Drive, counts: DriveCounts): Promise<void> {
  const { url, vehicles, delayMs, connections, random, stop, graceMs } = options;
  const pool = new Pool(new URL(url).origin, {
    connections,
    pipelining: 1,
    headersTimeout: requestMs,
    bodyTimeout: requestMs,
  });
  const giveUp = new AbortController();
  const onStop = (): void => {
    setTimeout(() => giveUp.abort(), graceMs).unref();
  };
  stop.addEventListener("abort", onStop, { once: true });
  try {
    await Promise.all(
      vehicles.map((vehicle) => driveOne(pool, vehicle, { delayMs, random, stop, giveUp: giveUp.signal }, counts)),
    );
  } finally {
    stop.removeEventListener("abort", onStop);
    await pool.destroy();
  }
}

interface Journey {
  readonly delayMs: number;
  readonly random: () => number;
  readonly stop: AbortSignal;
  readonly giveUp: AbortSignal;
}

async function driveOne(pool: Pool, vehicle: Vehicle, journey: Journey, counts: DriveCounts): Promise<void> {
  // Spread over the first delay, so that they do not all come at once.
  let dueMs = performance.now() + journey.delayMs * journey.random();
  while (await isWorthWaiting(dueMs - performance.now(), journey.stop)) {
    const body = vehicle.event(Date.now());
    counts.sent += 1;
    const isAnswered = await sendUntilAnswered(pool, body, journey, counts);
    if (isAnswered) counts.answered += 1;
    else counts.failed += 1;
    dueMs = Math.max(dueMs + journey.delayMs, performance.now());
  }
}

async function sendUntilAnswered(
  pool: Pool,
  body: string,
  { random, giveUp }: Journey,
  counts: DriveCounts,
): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    const status = await send(pool, body, giveUp);
    if (status === 200) return true;
    // What the server understood and refused it will refuse again.
    if (status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429) return false;
    if (!(await isWorthWaiting(retryPauseMs(attempt, random()), giveUp))) return false;
    counts.retries += 1;
  }
}

const headers = { "content-type": "application/x-www-form-urlencoded" };

/** The status, or undefined when there was no answer. */
async function send(pool: Pool, body: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    const { statusCode, body: answer } = await pool.request({ method: "POST", path: "/events", body, headers, signal });
    await answer.dump();
    return statusCode;
  } catch {
    // Refused, reset, timed out, given up: all the same to a vehicle, which sends the event again.
    return undefined;
  }
}

/** False when the signal aborts meanwhile. */
async function isWorthWaiting(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  if (ms <= 0) return true;
  try {
    await pause(ms, undefined, { signal });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
