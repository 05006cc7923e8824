import { MillraceError } from "../core/error.ts";
import type { Assignment, KeptRecord, Log, LogLane, LogRecord } from "../ports/log.ts";
import type { TestApi } from "./harness.ts";

/** A process of its own that takes part in reading a log. */
export interface LogProcess {
  /** Ends it as `kill -9` does: it says goodbye to nobody. */
  kill(): Promise<void>;
}

/** A fresh place without records, for one behaviour. The suite closes the logs; `dispose` removes the place. */
export interface LogPlace {
  /** A log on the place, not yet opened, as another process would have it: nothing is shared with the others. */
  log(): Promise<Log>;
  /** Removes the records of the lane before `offset`, as retention would. */
  trim?(lane: LogLane, offset: bigint): Promise<void>;
  /** Removes the log and makes it anew, without records, under its name: as its owner might, while others use it. */
  recreate?(): Promise<void>;
  /** Starts a process that takes part in the group; resolves when it does. What is not killed ends with the place. */
  join?(group: string): Promise<LogProcess>;
  /** A log, not yet opened, that cannot be opened, and the texts that no message may hold: passwords, tokens. */
  unusable?(): Promise<{ readonly log: Log; readonly secrets: readonly string[] }>;
  dispose(): Promise<void>;
}

/** A behaviour of the suite. Its name is what a skip refers to, so it is never changed lightly. */
export interface LogBehaviour {
  readonly name: string;
  /** True when the behaviour is about opening: its log is not opened for it. */
  readonly unopened?: true;
  run(scene: LogScene): Promise<void>;
}

/** What one behaviour plays on: a fresh place. */
export interface LogScene {
  readonly log: Log;
  readonly place: LogPlace;
  readonly expect: TestApi["expect"];
  /** How long is waited for what has to come. */
  readonly patienceMs: number;
  /** A further log on the same place; closed with the scene. */
  unopened(): Promise<Log>;
  /** The same, opened. */
  other(): Promise<Log>;
}

/** Waits for `work`, up to the patience of the scene; then throws what was waited for. */
export async function soon<Result>(
  { patienceMs }: Pick<LogScene, "patienceMs">,
  work: Promise<Result>,
  what: () => string,
): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`waited for ${what()}`)), patienceMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A hook of the place; where it has none, the behaviour has to be skipped with the reason. */
export function hook<Name extends "trim" | "recreate" | "join" | "unusable">(
  { place }: LogScene,
  name: Name,
): NonNullable<LogPlace[Name]> {
  const found: LogPlace[Name] = place[name];
  if (found !== undefined) return found.bind(place) as NonNullable<LogPlace[Name]>;
  throw new Error(`the place has no ${name}: skip the behaviour, with the reason`);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

/** Of a test of now: brokers remove what is old. */
const timeMs = Date.now() - 1_000;

export function record(value: string, key?: string): LogRecord {
  const kept = { value: encoder.encode(value), id: `id of ${value}`, timeMs };
  return key === undefined ? kept : { ...kept, key: encoder.encode(key) };
}

/** A record as it compares: bytes as text, one character a byte. */
export interface Shown {
  readonly key: string | undefined;
  readonly value: string;
  readonly id: string | undefined;
  readonly timeMs: number;
}

export function shown({ key, value, id, timeMs: time }: LogRecord): Shown {
  return { key: key === undefined ? undefined : textOf(key), value: textOf(value), id, timeMs: time };
}

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function valuesOf(records: readonly LogRecord[]): string[] {
  return records.map(({ value }) => textOf(value));
}

/** Reads one lane for as long as it is wanted. */
export class Reading {
  readonly taken: KeptRecord[] = [];
  /** How many records each piece had. */
  readonly pieces: (readonly KeptRecord[])[] = [];
  readonly #scene: LogScene;
  readonly #lane: LogLane;
  readonly #stop = new AbortController();
  readonly #records: AsyncIterator<readonly KeptRecord[]>;

  constructor(scene: LogScene, log: Log, lane: LogLane, offset: bigint) {
    this.#scene = scene;
    this.#lane = lane;
    this.#records = log.read(lane, offset, this.#stop.signal)[Symbol.asyncIterator]();
  }

  /** The next piece; undefined when the loop has ended. */
  async next(): Promise<readonly KeptRecord[] | undefined> {
    const what = (): string => `a record of lane ${this.#lane.name} behind the ${this.taken.length} that came`;
    const result = await soon(this.#scene, this.#records.next(), what);
    if (result.done === true) return undefined;
    this.pieces.push(result.value);
    this.taken.push(...result.value);
    return result.value;
  }

  /** Reads on until it has `count` records at least, or all of them up to `end`. */
  async until(wanted: { readonly count: number } | { readonly end: bigint }): Promise<readonly KeptRecord[]> {
    const isDone = (): boolean =>
      "count" in wanted ? this.taken.length >= wanted.count : (this.taken.at(-1)?.offset ?? -1n) + 1n >= wanted.end;
    while (!isDone()) {
      if ((await this.next()) === undefined) throw new Error(`lane ${this.#lane.name} ended by itself`);
    }
    return this.taken;
  }

  /** Starts to wait for a piece, and aborts meanwhile: how the loop ends. */
  async abortedWhileWaiting(): Promise<"ended" | "went on"> {
    const next = this.#records.next();
    this.#stop.abort();
    const result = await soon(this.#scene, next, () => "the end of a loop whose signal is aborted");
    return result.done === true ? "ended" : "went on";
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    // A generator answers only when it has ended what it is at.
    await soon(this.#scene, Promise.resolve(this.#records.return?.()), () => "the end of a loop that is left");
  }
}

export async function reading<Result>(
  scene: LogScene,
  { log = scene.log, lane, offset = lane.start }: { log?: Log; lane: LogLane; offset?: bigint },
  work: (one: Reading) => Promise<Result>,
): Promise<Result> {
  const one = new Reading(scene, log, lane, offset);
  try {
    return await work(one);
  } finally {
    await one.stop();
  }
}

/** All records of the log by lane, from the start of each up to where it ends now. */
export async function readAll(scene: LogScene, log = scene.log): Promise<ReadonlyMap<string, readonly KeptRecord[]>> {
  const all = new Map<string, readonly KeptRecord[]>();
  for (const lane of await log.lanes()) {
    const isEmpty = lane.start >= lane.end;
    all.set(lane.name, isEmpty ? [] : await reading(scene, { log, lane }, (one) => one.until({ end: lane.end })));
  }
  return all;
}

/** The same of all lanes together, in any order. */
export async function readEverything(scene: LogScene, log = scene.log): Promise<readonly KeptRecord[]> {
  return [...(await readAll(scene, log)).values()].flat();
}

/** The lane that has the records of this key, which must be in the log. */
export async function laneOf(scene: LogScene, key: string, log = scene.log): Promise<LogLane> {
  for (const [name, records] of await readAll(scene, log)) {
    if (!records.some((one) => one.key !== undefined && textOf(one.key) === key)) continue;
    const lane = (await log.lanes()).find((one) => one.name === name);
    if (lane !== undefined) return lane;
  }
  throw new Error(`no lane has the key ${key}`);
}

/** Takes part in a group; every assignment that differs from the one before is noted. */
export class Member {
  readonly changes: Assignment[] = [];
  /** Whether an assignment was the same as the one before. */
  repeated = false;
  readonly #scene: LogScene;
  readonly #stop = new AbortController();
  readonly #ended: Promise<unknown>;
  readonly #woken = new Set<() => void>();
  #failure: Error | undefined;

  constructor(scene: LogScene, log: Log, group: string) {
    this.#scene = scene;
    this.#ended = this.#follow(log, group);
  }

  /** Names of its lanes, in order. */
  get lanes(): readonly string[] {
    return namesOf(this.changes.at(-1) ?? []);
  }

  /** Resolves at the next change. Throws what the loop has ended with. */
  async change(): Promise<void> {
    this.#check();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#woken.add(resolve);
    await promise;
    this.#woken.delete(resolve);
    this.#check();
  }

  /** Aborts; resolves when the loop has ended, and throws what it has ended with. */
  async leave(): Promise<void> {
    this.#stop.abort();
    await this.ended();
  }

  async ended(): Promise<void> {
    await soon(this.#scene, this.#ended, () => "the end of a loop of assignments");
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #follow(log: Log, group: string): Promise<void> {
    try {
      for await (const assignment of log.assignments(group, this.#stop.signal)) {
        const before = this.changes.at(-1);
        if (before !== undefined && keysOf(before).join() === keysOf(assignment).join()) this.repeated = true;
        this.changes.push(assignment);
        this.#wake();
      }
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error("assignments failed with no error", { cause: error });
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#woken) wake();
  }
}

export function namesOf(lanes: Assignment): string[] {
  return lanes.map(({ name }) => name).sort();
}

function keysOf(lanes: Assignment): string[] {
  return lanes.map(({ name, incarnation }) => `${name}@${incarnation}`).sort();
}

/** Waits until every lane is assigned to exactly one of the members, and each of them has what `isRight` asks for. */
export async function untilShared(
  scene: LogScene,
  members: readonly Member[],
  isRight: (member: Member) => boolean = () => true,
): Promise<void> {
  const all = namesOf(await scene.log.lanes());
  const assigned = (): string[] => members.flatMap(({ lanes }) => lanes).sort();
  const isShared = (): boolean => assigned().join() === all.join() && members.every(isRight);
  const what = (): string => {
    return `the lanes ${all.join()} to be shared: ${members.map(({ lanes }) => `[${lanes.join()}]`).join(" ")}`;
  };
  const share = async (): Promise<void> => {
    while (!isShared()) await Promise.race(members.map((member) => member.change()));
  };
  await soon(scene, share(), what);
}

/** Members for the time of `work`; whoever is left then leaves. */
export async function withMembers<Result>(
  work: (join: (scene: LogScene, log: Log, group?: string) => Member) => Promise<Result>,
): Promise<Result> {
  const members: Member[] = [];
  try {
    return await work((scene, log, group = "group") => {
      const member = new Member(scene, log, group);
      members.push(member);
      return member;
    });
  } finally {
    await Promise.all(members.map((member) => member.leave().catch(() => undefined)));
  }
}

/** What a promise fails with; undefined when it does not. */
export async function errorOf(work: Promise<unknown>): Promise<Error | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error("a promise was rejected with what is no error", { cause: error });
  }
}

/** How a failure of the log is told to people. */
export async function toldOf(
  log: Log,
  work: Promise<unknown>,
): Promise<{ code: string; names: boolean; kind: string }> {
  const error = await errorOf(work);
  if (error === undefined) return { code: "no error", names: false, kind: "none" };
  const told = log.explain(error);
  const code = told instanceof MillraceError ? told.code : told.name;
  return { code, names: told.message.includes(log.shown), kind: log.classify(error) };
}
