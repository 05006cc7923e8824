// What tests of logs on brokers have in common.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { MillraceError } from "../../../src/core/error.ts";
import type { Assignment, KeptRecord, Log, LogLane, LogRecord } from "../../../src/ports/log.ts";

export const context = {
  now: (): number => Date.now(),
  pause: async (ms: number, signal?: AbortSignal): Promise<void> => {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  },
  notice: (): void => undefined,
};

const patienceMs = 20_000;

/** Opens a log for `work` and closes it. */
export async function withOpen<Result>(log: Log, work: (log: Log) => Promise<Result>): Promise<Result> {
  try {
    await log.open();
    return await work(log);
  } finally {
    await log.close();
  }
}

export function record(value: string, key?: string, id?: string): LogRecord {
  const bytes = new TextEncoder();
  return {
    ...(key === undefined ? {} : { key: bytes.encode(key) }),
    value: bytes.encode(value),
    ...(id === undefined ? {} : { id }),
    timeMs: 1_700_000_000_123,
  };
}

export function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

export function valuesOf(records: readonly LogRecord[]): string[] {
  return records.map(({ value }) => textOf(value));
}

/** Waits for a condition. */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string, ms = patienceMs): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms for ${what}`);
    await sleep(20);
  }
}

/** Fails when the work takes longer than that. */
export async function within<Result>(work: Promise<Result>, what: string, ms = patienceMs): Promise<Result> {
  const stop = new AbortController();
  const late = sleep(ms, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`waited ${ms} ms for ${what}`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    stop.abort();
    await late.catch(() => undefined);
  }
}

/** Reads a lane until it has that many records, or all up to that end. */
export async function readSome(
  log: Log,
  lane: LogLane,
  wanted: number | { readonly end: bigint },
  offset = lane.start,
): Promise<KeptRecord[]> {
  const stop = new AbortController();
  const records: KeptRecord[] = [];
  const isDone = (): boolean =>
    typeof wanted === "number" ? records.length >= wanted : (records.at(-1)?.offset ?? offset - 1n) + 1n >= wanted.end;
  const reading = async (): Promise<void> => {
    if (isDone()) return;
    for await (const piece of log.read(lane, offset, stop.signal)) {
      records.push(...piece);
      if (isDone()) return;
    }
  };
  try {
    await within(reading(), `records of lane ${lane.name}, there were ${records.length}`);
  } finally {
    stop.abort();
  }
  return records;
}

/** All records of all lanes as they are now. */
export async function readAll(log: Log): Promise<Map<string, KeptRecord[]>> {
  const all = new Map<string, KeptRecord[]>();
  for (const lane of await log.lanes()) all.set(lane.name, await readSome(log, lane, lane));
  return all;
}

/** What a promise fails with. */
export async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error("it worked");
}

export async function explained(log: Log, work: Promise<unknown>): Promise<MillraceError> {
  const error = log.explain(await failure(work));
  if (error instanceof MillraceError) return error;
  throw error;
}

/** The first lane. */
export async function firstLane(log: Log): Promise<LogLane> {
  const [lane] = await log.lanes();
  if (lane === undefined) throw new Error("there is no lane");
  return lane;
}

/** Reads a lane in the background until it is stopped. */
export class Reading {
  readonly records: KeptRecord[] = [];
  readonly #stop = new AbortController();
  readonly ended: Promise<void>;

  constructor(log: Log, lane: LogLane, offset = lane.start) {
    this.ended = this.#read(log, lane, offset);
    this.ended.catch(() => undefined); // awaited by the test
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await within(this.ended, "the end of a loop whose signal is aborted");
  }

  async #read(log: Log, lane: LogLane, offset: bigint): Promise<void> {
    for await (const piece of log.read(lane, offset, this.#stop.signal)) this.records.push(...piece);
  }
}

/** Takes part in a group in the background until it leaves. */
export class Member {
  readonly changes: Assignment[] = [];
  readonly #stop = new AbortController();
  readonly ended: Promise<void>;

  constructor(log: Log, group: string) {
    this.ended = this.#follow(log, group);
    this.ended.catch(() => undefined); // awaited by the test
  }

  /** Names of its lanes now, such as `0,2`. */
  get lanes(): string {
    return (this.changes.at(-1) ?? []).map(({ name }) => name).join();
  }

  async leave(): Promise<void> {
    this.#stop.abort();
    await within(this.ended, "the end of assignments whose signal is aborted");
  }

  async #follow(log: Log, group: string): Promise<void> {
    for await (const assignment of log.assignments(group, this.#stop.signal)) this.changes.push(assignment);
  }
}

/** A program that takes part in a group and writes the names of its lanes, a line for each assignment, until killed. */
export class MemberProcess {
  readonly #child: ChildProcess;
  /** What it was told, one after another: names of its lanes such as `0,2`. */
  readonly told: string[] = [];

  constructor(program: string, url: string, group: string) {
    this.#child = spawn(process.execPath, [program, url, group], { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#child.stdout === null) throw new Error("a child has an output");
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.told.push(line);
    });
  }

  /** Names of its lanes now. */
  get lanes(): string | undefined {
    return this.told.at(-1);
  }

  suspend(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  async joined(): Promise<void> {
    await until(() => this.lanes !== undefined, "a process to take part");
  }

  async kill(): Promise<void> {
    const isOver = this.#child.exitCode !== null || this.#child.signalCode !== null;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    if (!isOver) await ended;
  }
}
