import { type Held, heldBy } from "../../core/held.ts";
import { heldLanes, type LaneTerms, readTerms, shareTerms } from "../../core/lane-shares.ts";
import { limit } from "../../core/limit.ts";
import { Patience } from "../../core/patience.ts";
import { pauseUnlessAborted, type Time, unlessAborted } from "../../core/time.ts";
import type { Assignment, LogLane } from "../../ports/log.ts";
import type { Answer } from "./connection.ts";
import { classifyError } from "./errors.ts";
import type { LogConnection } from "./log-connection.ts";

/** Where a group meets. */
export interface MeetingPlace {
  readonly connection: LogConnection;
  /** Key with the members and when their leases end; key with who reads which lanes. */
  readonly keys: readonly [members: string, shares: string];
  /** Called now and then. */
  readonly lanes: () => Promise<readonly LogLane[]>;
  readonly time: Time;
  /** Told of each member's work, which ends with the group's keys in order. */
  readonly track: (work: Promise<void>) => Promise<void>;
}

/** Takes part in a group; see `Log.assignments`. */
export function assignmentsOf(place: MeetingPlace, signal: AbortSignal): AsyncIterable<Assignment> {
  return heldBy((hold, ended) => place.track(new Member(place, ended).run(hold)), signal);
}

/**
 * One member of a group. It says again and again that it is there, for a lease by the server's clock; and the members
 * keep one key on who reads which lanes, which whoever finds it wrong writes anew, if it is still the same.
 */
class Member {
  readonly #place: MeetingPlace;
  readonly #id = crypto.randomUUID();
  readonly #signal: AbortSignal;
  #lanes: readonly LogLane[] = [];
  #lanesAt = Number.NEGATIVE_INFINITY;
  /** Whether the server was reached last. */
  #isThere = false;

  constructor(place: MeetingPlace, signal: AbortSignal) {
    this.#place = place;
    this.#signal = signal;
  }

  /** Beats until the signal aborts, and tells what it is to read. */
  async run(hold: (held: readonly Held<LogLane>[]) => void): Promise<void> {
    const patience = new Patience({
      time: this.#place.time,
      signal: this.#signal,
      patienceMs: limit.redisPatienceMs,
      classify: classifyError,
      random: Math.random,
    });
    while (!this.#signal.aborted) {
      try {
        this.#isThere = false;
        // What is under way is finished, so that nothing comes behind the leaving; a connection is not waited for.
        await unlessAborted(this.#place.connection.client(), this.#signal);
        const held = await this.#meet();
        this.#isThere = true;
        patience.renew();
        hold(held);
        await pauseUnlessAborted(limit.redisBeatMs, this.#place.time, this.#signal);
      } catch (error) {
        if (this.#signal.aborted) break;
        await patience.bear(error);
      }
    }
    if (this.#isThere) await this.#leave();
  }

  /** Says that it is there, and finds out what it is to read. */
  async #meet(): Promise<readonly Held<LogLane>[]> {
    const { lanes, time, connection, keys } = this.#place;
    if (time.now() - this.#lanesAt >= limit.redisLanesMs) {
      this.#lanes = await lanes();
      this.#lanesAt = time.now();
    }
    const shares = await this.#agree(() => connection.run("beat", keys, [this.#id, limit.redisLeaseMs]));
    return heldLanes(shares, this.#id, this.#lanes);
  }

  /** `ask` answers the shares as they are, and the members. */
  async #agree(ask: () => Promise<Answer>): Promise<LaneTerms> {
    const { connection, keys } = this.#place;
    const names = this.#lanes.map(({ name }) => name);
    for (;;) {
      const [text = "", ...members] = ((await ask()) as readonly Answer[]).map(String);
      const before = readTerms(text);
      const after = shareTerms(before, members, names, crypto.randomUUID());
      if (after === before) return after;
      const written = members.length === 0 ? "" : JSON.stringify(after);
      if ((await connection.run("share", [keys[1]], [text, written])) === 1) return after;
    }
  }

  /** The others need not wait until the lease has run out. What does not work out now is left to that. */
  async #leave(): Promise<void> {
    const { connection, keys } = this.#place;
    try {
      await this.#agree(() => connection.run("leave", keys, [this.#id]));
    } catch {
      // The lease runs out, and those who come later share anew.
    }
  }
}
