import { randomInt } from "node:crypto";
import { Bell } from "../../core/bell.ts";
import { laneOfKey } from "../../core/lane-shares.ts";
import { limit } from "../../core/limit.ts";
import { retryPauseMs } from "../../core/retry.ts";
import { pauseUnlessAborted, type Time } from "../../core/time.ts";
import type { LogRecord } from "../../ports/log.ts";
import { Acks } from "./acks.ts";
import type { Address } from "./address.ts";
import { AppendCall } from "./append-call.ts";
import type { Connection } from "./connection.ts";
import { apiCode, apiCodeOf, classifyError, isFull, isUnheard, withPurpose } from "./errors.ts";
import { type Item, Outbox } from "./outbox.ts";
import { headerBytes, headersOf } from "./record.ts";
import {
  closedLog,
  filledMeanwhile,
  notConfirmed,
  notToBeAppendedTo,
  recordTooLarge,
  tooMuchWaits,
} from "./refusals.ts";
import { Room, storedBytes } from "./room.ts";
import type { LaneStream, Layout, Streams } from "./streams.ts";

/** How often it is looked at whether an append has lasted too long. */
const lookMs = 500;

/** Publishes records to the lanes, many at a time, each until JetStream has confirmed it. */
export class Publisher {
  readonly #address: Address;
  readonly #connection: Connection;
  readonly #streams: Streams;
  readonly #time: Time;
  readonly #room: Room;
  readonly #bell: Bell;
  readonly #outbox = new Outbox();
  readonly #appends = new Set<Promise<void>>();
  /** Those of them whose records are on their way. */
  readonly #calls = new Set<AppendCall>();
  /** Records that nobody heard, to be sent again when somebody may. */
  readonly #unheard: Item[] = [];
  #failures = 0;
  #pumping = false;
  #acks: Acks | undefined;
  /** What is under way in the background; each ends by itself. */
  #connecting: Promise<void> | undefined;
  #watching: Promise<void> | undefined;
  #mending: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(address: Address, connection: Connection, streams: Streams, time: Time) {
    this.#address = address;
    this.#connection = connection;
    this.#streams = streams;
    this.#time = time;
    this.#bell = new Bell(time);
    this.#room = new Room(address, streams, time);
  }

  /** See `Log.append`. */
  async append(records: readonly LogRecord[]): Promise<void> {
    if (this.#closing.signal.aborted) throw closedLog(this.#address);
    if (records.length === 0) return;
    const work = this.#append(records);
    this.#appends.add(work);
    try {
      await work;
    } finally {
      this.#appends.delete(work);
    }
  }

  /** Resolves when everything appended before is confirmed, or given up. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#appends);
    await Promise.all([this.#connecting, this.#watching, this.#mending]);
    this.#acks?.close();
  }

  async #append(records: readonly LogRecord[]): Promise<void> {
    await this.#connection.client();
    const layout = this.#streams.layout ?? (await this.#streams.ensure());
    const call = new AppendCall(records.length, this.#deadline());
    const items = records.map((record) => itemOf(record, call));
    this.#check(items, layout);
    await this.#room.take(() => bytesByStream(items, layout));
    for (const item of items) this.#outbox.add(item);
    this.#calls.add(call);
    this.#pump();
    this.#watching ??= this.#watch();
    try {
      await call.done;
    } finally {
      this.#calls.delete(call);
      if (this.#calls.size === 0) this.#bell.ring();
    }
  }

  /** Before anything is sent. */
  #check(items: readonly Item[], layout: Layout): void {
    const { valueBytesMax, messageBytesMax } = this.#connection.server;
    for (const { value, bytes } of items) {
      if (value.length > valueBytesMax) throw recordTooLarge(this.#address, value.length, valueBytesMax);
      if (bytes > messageBytesMax) throw recordTooLarge(this.#address, bytes, messageBytesMax);
    }
    const only = layout[0];
    if (only !== undefined && only.subject === undefined) throw notToBeAppendedTo(this.#address, only.stream);
    const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
    const waiting = this.#outbox.bytes;
    if (waiting > 0 && waiting + bytes > limit.natsQueueBytes) throw tooMuchWaits(this.#address, waiting);
  }

  #pump(): void {
    const { layout } = this.#streams;
    if (this.#acks === undefined || layout === undefined) {
      this.#connecting ??= this.#connect();
      return;
    }
    while (this.#acks.count < limit.natsInFlight && this.#acks.bytes < limit.natsInFlightBytes) {
      const item = this.#outbox.next();
      if (item === undefined) return;
      this.#send(this.#acks, item, layout);
    }
  }

  #send(acks: Acks, item: Item, layout: Layout): void {
    const { subject } = laneOf(item, layout);
    try {
      acks.send(item, subject ?? "", this.#time.now());
    } catch (error) {
      this.#giveUp(item, error);
    }
  }

  async #connect(): Promise<void> {
    try {
      const client = await this.#connection.client();
      if (this.#streams.layout === undefined) await this.#streams.ensure();
      const acks = new Acks(client, (item, error) => this.#hear(item, error));
      client.whenLost((error) => this.#lose(acks, error));
      if (client.lost !== undefined) throw client.lost;
      this.#acks = acks;
    } catch (error) {
      for (const call of this.#calls) call.fail(error);
    }
    this.#connecting = undefined;
    if (this.#acks !== undefined) this.#pump();
  }

  /** What was under way is in the log or not. */
  #lose(acks: Acks, error: Error): void {
    if (this.#acks === acks) this.#acks = undefined;
    for (const item of acks.close()) this.#giveUp(item, error);
    if (this.#calls.size > 0) this.#pump();
  }

  #deadline(): number {
    return this.#time.now() + limit.natsAppendMs;
  }

  #hear(item: Item, error: unknown): void {
    if (error === undefined) {
      this.#failures = 0;
      item.call.confirm(this.#deadline());
      this.#outbox.done(item);
    } else if (isUnheard(error) || apiCodeOf(error) === apiCode.tooManyRequests) {
      item.call.delay(withPurpose(error, "appending"));
      this.#unheard.push(item);
      this.#mending ??= this.#mend();
    } else {
      if (isFull(error)) this.#room.forget();
      const isCut = isFull(error) && item.call.records > 1;
      this.#giveUp(item, isCut ? filledMeanwhile(this.#address, error) : withPurpose(error, "appending"));
    }
    this.#pumpSoon();
  }

  /** Once for all answers that came together: what is sent then goes in one piece. */
  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #giveUp(item: Item, error: unknown): void {
    item.call.fail(error);
    this.#outbox.done(item);
  }

  /** Streams that are gone are made anew, as `open` does; what nobody heard is sent again. */
  async #mend(): Promise<void> {
    this.#failures += 1;
    await pauseUnlessAborted(retryPauseMs(this.#failures, Math.random()), this.#time, this.#closing.signal);
    let failure: unknown;
    try {
      await this.#streams.ensure();
    } catch (error) {
      failure = error;
    }
    this.#mending = undefined;
    for (const item of this.#unheard.splice(0)) {
      if (failure !== undefined && classifyError(failure) !== "wait") item.call.fail(failure);
      this.#outbox.again(item);
    }
    this.#pump();
  }

  /** Gives up what was not confirmed in time. */
  async #watch(): Promise<void> {
    while (this.#calls.size > 0) {
      await this.#bell.heard(lookMs);
      const now = this.#time.now();
      for (const call of this.#calls) {
        if (call.deadline <= now) call.fail(notConfirmed(this.#address, call.lastError));
      }
      for (const item of this.#acks?.giveUp(now - limit.natsAppendMs) ?? []) {
        this.#giveUp(item, notConfirmed(this.#address, undefined));
      }
      this.#pump();
    }
    this.#watching = undefined;
  }
}

function itemOf(record: LogRecord, call: AppendCall): Item {
  const { key, id, value } = record;
  const headers = headersOf(record);
  return {
    call,
    // Without a key a repeat goes where JetStream knows it by its id.
    laneKey: key ?? (id === undefined ? Uint8Array.of(randomInt(256), randomInt(256)) : new TextEncoder().encode(id)),
    key: key === undefined ? undefined : Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1"),
    headers,
    value,
    bytes: headerBytes(headers) + value.length,
  };
}

function laneOf({ laneKey }: Item, layout: Layout): LaneStream {
  const lane = layout[laneOfKey(laneKey, layout.length)];
  if (lane === undefined) throw new RangeError("a log has a lane");
  return lane;
}

function bytesByStream(items: readonly Item[], layout: Layout): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const item of items) {
    const { stream, subject = "" } = laneOf(item, layout);
    bytes.set(stream, (bytes.get(stream) ?? 0) + storedBytes(subject, item.bytes));
  }
  return bytes;
}
