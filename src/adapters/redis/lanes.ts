import type { LogLane } from "../../ports/log.ts";
import type { Answer } from "./connection.ts";
import type { LogAddress } from "./log-address.ts";
import type { LogConnection } from "./log-connection.ts";
import { offsetOf } from "./offset.ts";
import { idWithoutOffset } from "./refusals.ts";

/** The streams of a log, by the number of their lane. */
export interface Layout {
  readonly keys: readonly string[];
  /** How many lanes keys are shared among, as all processes know it; 0: the log is the one stream of its name. */
  readonly shared: number;
}

/**
 * The streams of a log. A log is the stream of its name, where there is one, as its only lane: one that others have made
 * and write to. Otherwise its lanes are the streams `{name}:0`, `{name}:1`, …, and `{name}:lanes` says how many. What
 * stands in braces decides the node of a cluster: a log is on one node as a whole, so that one script appends to several
 * lanes at once.
 */
export class Lanes {
  readonly #address: LogAddress;
  readonly #connection: LogConnection;
  #layout: Layout | undefined;

  constructor(address: LogAddress, connection: LogConnection) {
    this.#address = address;
    this.#connection = connection;
  }

  /** As it was known last; undefined before the log was looked at. */
  get layout(): Layout | undefined {
    return this.#layout;
  }

  /** Key with how many lanes there are. */
  get countKey(): string {
    return this.keyOf("lanes");
  }

  /** Key with the life of the server in which each lane was appended to last. */
  get livesKey(): string {
    return this.keyOf("lives");
  }

  keyOf(what: string): string {
    return `{${this.#address.name}}:${what}`;
  }

  /** Creates what is missing. */
  async ensure(): Promise<Layout> {
    const layout = this.#know(await this.#count(this.#address.lanes));
    await this.#connection.run("make", layout.keys, [crypto.randomUUID()]);
    return layout;
  }

  /** Other processes have made the log anew, with another number of lanes. */
  learn(count: number): void {
    this.#know(count);
  }

  /** The lanes that are there. */
  async list(): Promise<readonly LogLane[]> {
    const count = await this.#count(0);
    if (count < 0) return [];
    const { keys } = this.#know(count);
    const answer = (await this.#connection.run("lanes", keys)) as readonly (readonly Answer[])[];
    return answer.flatMap((facts, lane) => this.#laneOf(facts, lane));
  }

  async #count(begin: number): Promise<number> {
    return Number(await this.#connection.run("count", [this.#address.name, this.countKey], [begin]));
  }

  #know(count: number): Layout {
    if (this.#layout?.shared === count) return this.#layout;
    const keys = count === 0 ? [this.#address.name] : Array.from({ length: count }, (_, n) => this.keyOf(String(n)));
    this.#layout = { keys, shared: count };
    return this.#layout;
  }

  #laneOf([incarnation, first, last, length, added]: readonly Answer[], lane: number): LogLane[] {
    if (incarnation === "") return [];
    const end = this.#offset(String(last), lane) + 1n;
    const start = length === 0 ? end : this.#offset(String(first), lane);
    return [{ name: String(lane), incarnation: String(incarnation), start, end, appended: BigInt(Number(added)) }];
  }

  #offset(id: string, lane: number): bigint {
    const offset = offsetOf(id);
    if (offset === undefined) throw idWithoutOffset(this.#address, this.#layout?.keys[lane] ?? "", id);
    return offset;
  }
}
