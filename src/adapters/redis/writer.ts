import { MillraceError } from "../../core/error.ts";
import { laneOfKey } from "../../core/lane-shares.ts";
import { limit } from "../../core/limit.ts";
import type { Time } from "../../core/time.ts";
import type { LogRecord } from "../../ports/log.ts";
import { AppendCall, sizeOf } from "./append-call.ts";
import type { Answer, Argument } from "./connection.ts";
import { type ServerFacts, waitsForDisk } from "./durability.ts";
import { shapeOf, valuesOf } from "./entry.ts";
import { isFull } from "./errors.ts";
import type { Lanes, Layout } from "./lanes.ts";
import type { LogAddress } from "./log-address.ts";
import type { LogClient, LogConnection } from "./log-connection.ts";
import {
  closedLog,
  filledMeanwhile,
  idWithoutOffset,
  laneFull,
  notSynced,
  tooMuchWaits,
  valueTooLarge,
} from "./refusals.ts";

/** What a writer works with. */
export interface WriterParts {
  readonly address: LogAddress;
  /** For the writer alone: `WAITAOF` holds up whatever comes behind it. */
  readonly connection: LogConnection;
  readonly lanes: Lanes;
  readonly facts: (client: LogClient) => Promise<ServerFacts>;
  readonly time: Time;
}

/** A part of the records of one or several appends, as one script takes them. */
interface Portion {
  readonly calls: readonly AppendCall[];
  readonly records: readonly LogRecord[];
}

/**
 * Writes appends in rounds: all that have come while the last round was under way are written by a few scripts, one
 * after the other, and made sure of once. So they keep their order, and share what the disk costs.
 */
export class Writer {
  readonly #parts: WriterParts;
  readonly #waiting: AppendCall[] = [];
  #bytes = 0;
  #running: Promise<void> | undefined;
  #trimmedAt = Number.NEGATIVE_INFINITY;
  /** Where records without key and id go next. */
  #anywhere = Math.floor(Math.random() * 1_024);
  #closing = false;

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  /** See `Log.append`. */
  async append(records: readonly LogRecord[]): Promise<void> {
    const { address } = this.#parts;
    if (this.#closing) throw closedLog(address);
    if (records.length === 0) return;
    const large = records.find(({ value }) => value.length > limit.logValueBytes);
    if (large !== undefined) throw valueTooLarge(address, large.value.length, limit.logValueBytes);
    const call = new AppendCall(records);
    if (this.#bytes > 0 && this.#bytes + call.bytes > limit.redisQueueBytes) throw tooMuchWaits(address, this.#bytes);
    this.#bytes += call.bytes;
    this.#waiting.push(call);
    this.#running ??= this.#run();
    try {
      await call.done;
    } finally {
      this.#bytes -= call.bytes;
    }
  }

  /** Resolves when everything appended before is confirmed, or has failed. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    // Whatever else is appended now shares the first round.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const round = this.#takeRound();
      try {
        await this.#writeRound(round);
      } catch (error) {
        for (const call of round) call.fail(error);
      }
    }
    this.#running = undefined;
  }

  #takeRound(): AppendCall[] {
    let bytes = 0;
    const end = this.#waiting.findIndex((call, index) => {
      bytes += call.bytes;
      return index > 0 && bytes > limit.redisRoundBytes;
    });
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end);
  }

  async #writeRound(round: readonly AppendCall[]): Promise<void> {
    const client = await this.#parts.connection.client();
    const facts = await this.#parts.facts(client);
    await this.#removeOld(client);
    for (const portion of portionsOf(round)) await this.#writePortion(client, facts.life, portion);
    const written = round.filter((call) => call.isWritten);
    await this.#makeSure(client, facts, written.length);
    for (const call of written) call.confirm();
  }

  /** Appends for which there is no room fail; of them nothing is written from then on. */
  async #writePortion(client: LogClient, life: string, { calls, records }: Portion): Promise<void> {
    const [only, ...others] = calls;
    if (only === undefined || only.failed) return;
    try {
      await this.#write(client, life, records, others.length > 0 ? 0 : bytesBehind(only, records));
      for (const call of calls) call.written += others.length > 0 ? call.records.length : records.length;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (others.length === 0) only.fail(only.written > 0 ? filledMeanwhile(this.#parts.address, error) : error);
      // One of them may be too much, and the others not.
      else for (const call of calls) await this.#writePortion(client, life, { calls: [call], records: call.records });
    }
  }

  /** `behind`: bytes of the same append that come with later portions, and want room too. */
  async #write(client: LogClient, life: string, records: readonly LogRecord[], behind: number): Promise<void> {
    const { address, lanes } = this.#parts;
    for (;;) {
      const layout = lanes.layout ?? (await lanes.ensure());
      const { keys, parts } = this.#commandOf(records, layout, life, behind);
      const answer = (await client.run(
        "append",
        [lanes.countKey, lanes.livesKey, ...keys],
        parts,
      )) as readonly Answer[];
      const [trouble, number, used] = answer;
      if (trouble === "anew") await lanes.ensure();
      if (trouble === "" || trouble === "anew") return;
      if (trouble === "full") {
        const key = keys[Number(number) - 1] ?? "";
        throw laneFull(address, key, Number(used), bytesMaxOf(address, layout));
      }
      if (trouble === "beyond") throw idWithoutOffset(address, keys[Number(number) - 1] ?? "", String(used));
      lanes.learn(Number(number));
    }
  }

  #commandOf(
    records: readonly LogRecord[],
    layout: Layout,
    life: string,
    behind: number,
  ): { keys: string[]; parts: Argument[] } {
    const numbers = new Map<number, number>();
    const bytes: number[] = [];
    const parts: Argument[] = [];
    for (const record of records) {
      const lane = this.#laneOf(record, layout.keys.length);
      const number = numbers.get(lane) ?? numbers.size + 1;
      numbers.set(lane, number);
      bytes[number - 1] = (bytes[number - 1] ?? behind / layout.keys.length) + sizeOf(record);
      parts.push(number, shapeOf(record), ...valuesOf(record));
    }
    const { address } = this.#parts;
    const head = [layout.shared, crypto.randomUUID(), life, bytesMaxOf(address, layout)];
    const keys = [...numbers.keys()].map((lane) => layout.keys[lane] ?? "");
    return { keys, parts: [...head, ...bytes.map(Math.ceil), ...parts] };
  }

  /** What is older than its retention, once in a while. */
  async #removeOld(client: LogClient): Promise<void> {
    const { address, lanes, time } = this.#parts;
    if (address.retentionMs === undefined) return;
    const everyMs = Math.max(limit.redisTrimMs, address.retentionMs / 1_000);
    if (time.now() - this.#trimmedAt < everyMs) return;
    this.#trimmedAt = time.now();
    const { keys, shared } = lanes.layout ?? (await lanes.ensure());
    await client.run("age", keys, [address.retentionMs, shared === 0 ? 1 : 0]);
  }

  #laneOf({ key, id }: LogRecord, lanes: number): number {
    const decides = key ?? (id === undefined ? undefined : Buffer.from(id));
    if (decides !== undefined) return laneOfKey(decides, lanes);
    this.#anywhere = (this.#anywhere + 1) % lanes;
    return this.#anywhere;
  }

  async #makeSure(client: LogClient, facts: ServerFacts, written: number): Promise<void> {
    const { address } = this.#parts;
    const [disk, replicas] = [waitsForDisk(facts, address) ? 1 : 0, address.replicas];
    if (written === 0 || (disk === 0 && replicas === 0)) return;
    const answer =
      disk === 1
        ? await client.ask("WAITAOF", disk, replicas, limit.redisSyncMs)
        : [1, await client.ask("WAIT", replicas, limit.redisSyncMs)];
    const [local, remote] = Array.isArray(answer) ? answer.map(Number) : [];
    if ((local ?? 0) < disk) throw notSynced(address, `not on disk within ${limit.redisSyncMs} ms`);
    if ((remote ?? 0) < replicas) throw notSynced(address, `${remote ?? 0} of ${replicas} replicas confirmed`);
  }
}

function bytesMaxOf({ bytesMax }: LogAddress, { keys }: Layout): number {
  return bytesMax === undefined ? 0 : Math.floor(bytesMax / keys.length);
}

function bytesBehind(call: AppendCall, portion: readonly LogRecord[]): number {
  const behind = call.records.slice(call.written + portion.length);
  return behind.reduce((sum, record) => sum + sizeOf(record), 0);
}

/** Nothing was written, for want of room. */
function isRefusal(error: unknown): boolean {
  return isFull(error) || (error instanceof MillraceError && error.code === "SINK_FULL");
}

/** Cut so that an append which fits is written by one script, at once and whole; only larger ones are cut. */
function* portionsOf(round: readonly AppendCall[]): Generator<Portion> {
  let calls: AppendCall[] = [];
  let [bytes, count] = [0, 0];
  const gathered = (): Portion => ({ calls, records: calls.flatMap(({ records }) => records) });
  for (const call of round) {
    const fits =
      bytes + call.bytes <= limit.redisScriptBytes && count + call.records.length <= limit.redisScriptRecords;
    if (!fits && calls.length > 0) {
      yield gathered();
      [calls, bytes, count] = [[], 0, 0];
    }
    if (call.bytes > limit.redisScriptBytes || call.records.length > limit.redisScriptRecords) {
      for (const records of cut(call.records)) yield { calls: [call], records };
    } else {
      calls.push(call);
      bytes += call.bytes;
      count += call.records.length;
    }
  }
  if (calls.length > 0) yield gathered();
}

function* cut(records: readonly LogRecord[]): Generator<readonly LogRecord[]> {
  let [from, bytes] = [0, 0];
  for (const [index, record] of records.entries()) {
    const isFullPortion = bytes + sizeOf(record) > limit.redisScriptBytes || index - from >= limit.redisScriptRecords;
    if (isFullPortion && index > from) {
      yield records.slice(from, index);
      [from, bytes] = [index, 0];
    }
    bytes += sizeOf(record);
  }
  yield records.slice(from);
}
