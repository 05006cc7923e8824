import { Bell } from "../../core/bell.ts";
import { type Held, heldBy } from "../../core/held.ts";
import { heldLanes, type LaneTerms, readTerms, shareTerms } from "../../core/lane-shares.ts";
import { limit } from "../../core/limit.ts";
import { Patience } from "../../core/patience.ts";
import { type Time, unlessAborted } from "../../core/time.ts";
import type { Assignment, LogLane } from "../../ports/log.ts";
import { type Bucket, keyPart } from "./bucket.ts";
import type { Connection } from "./connection.ts";
import { classifyError } from "./errors.ts";

/** Where a group meets. */
export interface MeetingPlace {
  readonly connection: Connection;
  /** Entries vanish when they are not written again within the lease. */
  readonly leases: Bucket;
  readonly agreements: Bucket;
  readonly lanes: () => Promise<readonly LogLane[]>;
  readonly time: Time;
  /** Told of each member's work, which ends with the group's entries in order. */
  readonly track: (work: Promise<void>) => Promise<void>;
}

/** Takes part in a group; see `Log.assignments`. */
export function assignmentsOf(place: MeetingPlace, group: string, signal: AbortSignal): AsyncIterable<Assignment> {
  return heldBy((hold, ended) => place.track(new Member(place, group, ended).run(hold)), signal);
}

/**
 * One member of a group. It writes its entry again and again, which vanishes with it by the server's clock; and the
 * members keep one entry on who reads which lanes, which whoever finds it wrong writes anew, if it is still the same.
 */
class Member {
  readonly #place: MeetingPlace;
  readonly #id = crypto.randomUUID();
  readonly #group: string;
  readonly #signal: AbortSignal;
  readonly #bell: Bell;
  #lanes: readonly LogLane[] = [];
  #lanesAt = Number.NEGATIVE_INFINITY;
  /** Whether the server was reached last. */
  #isThere = false;
  #members: ReadonlySet<string> = new Set();
  #shares = "";

  constructor(place: MeetingPlace, group: string, signal: AbortSignal) {
    this.#place = place;
    this.#group = keyPart(group);
    this.#signal = signal;
    this.#bell = new Bell(place.time);
  }

  /** Beats until the signal aborts, and tells what it is to read. */
  async run(hold: (held: readonly Held<LogLane>[]) => void): Promise<void> {
    const patience = new Patience({
      time: this.#place.time,
      signal: this.#signal,
      patienceMs: limit.natsPatienceMs,
      classify: classifyError,
      random: Math.random,
    });
    this.#signal.addEventListener("abort", () => this.#bell.ring());
    while (!this.#signal.aborted) {
      try {
        this.#isThere = false;
        // What is under way is finished, so that nothing comes behind the leaving; a connection is not waited for.
        await unlessAborted(this.#place.connection.client(), this.#signal);
        const held = await this.#meet();
        this.#isThere = true;
        patience.renew();
        hold(held);
        await this.#untilNext();
      } catch (error) {
        if (this.#signal.aborted) break;
        await patience.bear(error);
      }
    }
    if (this.#isThere) await this.#leave();
  }

  /** Says that it is there, and finds out what it is to read. */
  async #meet(): Promise<readonly Held<LogLane>[]> {
    const { leases, agreements, lanes, time } = this.#place;
    await leases.put(this.#memberKey(this.#id), "");
    if (this.#shares === "") await agreements.begin(this.#sharesKey, "{}");
    if (time.now() - this.#lanesAt >= limit.natsLanesMs) {
      this.#lanes = await lanes();
      this.#lanesAt = time.now();
    }
    this.#members = await this.#present();
    const shares = await this.#agree([...this.#members]);
    return heldLanes(shares, this.#id, this.#lanes);
  }

  async #present(): Promise<Set<string>> {
    const prefix = this.#memberKey("");
    const keys = await this.#place.leases.keys(`${prefix}*`);
    return new Set(keys.map((key) => key.slice(prefix.length)));
  }

  async #agree(members: readonly string[]): Promise<LaneTerms> {
    const { agreements } = this.#place;
    const names = this.#lanes.map(({ name }) => name);
    for (;;) {
      const entry = await agreements.get(this.#sharesKey);
      const before = readTerms(entry?.value);
      const after = shareTerms(before, members, names, crypto.randomUUID());
      this.#shares = JSON.stringify(after);
      if (after === before) return after;
      if (await agreements.put(this.#sharesKey, this.#shares, entry?.revision ?? 0)) return after;
    }
  }

  /** Waits for the next beat; less when a member comes that is not known, or another one writes other shares. */
  async #untilNext(): Promise<void> {
    const { connection, leases, agreements } = this.#place;
    const { nats } = await connection.client();
    const prefix = leases.subjectOf(this.#memberKey(""));
    const subscriptions = [
      nats.subscribe(`${prefix}*`, {
        callback: (error, { subject }) => {
          if (error === null && !this.#members.has(subject.slice(prefix.length))) this.#bell.ring();
        },
      }),
      nats.subscribe(agreements.subjectOf(this.#sharesKey), {
        callback: (error, message) => {
          if (error === null && message.string() !== this.#shares) this.#bell.ring();
        },
      }),
    ];
    try {
      await this.#bell.heard(limit.natsBeatMs);
    } finally {
      for (const subscription of subscriptions) subscription.unsubscribe();
    }
  }

  /** The others need not wait until the lease has run out. What does not work out now is left to that. */
  async #leave(): Promise<void> {
    const { leases, agreements } = this.#place;
    try {
      await leases.remove(this.#memberKey(this.#id));
      const others = await this.#present();
      others.delete(this.#id);
      if (others.size > 0) await this.#agree([...others]);
      else await agreements.remove(this.#sharesKey);
    } catch {
      // The lease runs out, and those who come later share anew.
    }
  }

  #memberKey(id: string): string {
    return `member.${this.#group}.${id}`;
  }

  get #sharesKey(): string {
    return `shares.${this.#group}`;
  }
}
