import { randomUUID } from "node:crypto";
import { type Held, Holdings } from "../../core/held.ts";
import { limit } from "../../core/limit.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { Assignment, LogLane } from "../../ports/log.ts";
import { classifyError } from "./errors.ts";
import type { Folder } from "./folder.ts";
import type { HeldLane } from "./meeting.ts";
import type { Moment, SteadyClock } from "./steady-clock.ts";

export interface MembershipParts {
  readonly clock: SteadyClock;
  readonly context: Pick<AdapterContext, "pause">;
  /** Does work on the folder as it is now, patiently. */
  use<Result>(work: (folder: Folder) => Result): Promise<Result>;
}

/**
 * One process's part in a group. It says that it is there whether or not its assignments are taken, and leaves when the
 * signal aborts.
 */
export class Membership {
  readonly #group: string;
  readonly #parts: MembershipParts;
  readonly #signal: AbortSignal;
  readonly #id = randomUUID();
  /** Resolves when it has left. */
  readonly ended: Promise<void>;
  readonly #holdings = new Holdings<LogLane>();
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #changed = Promise.withResolvers<void>();
  #beaten: (Moment & { readonly folder: Folder; readonly version: bigint }) | undefined;

  constructor(group: string, parts: MembershipParts, signal: AbortSignal) {
    this.#group = group;
    this.#parts = parts;
    this.#signal = signal;
    this.ended = this.#run();
  }

  /** The next assignment that differs from the one before; undefined when it has left. Throws what it cannot go on with. */
  async next(): Promise<Assignment | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return undefined;
      const lanes = this.#holdings.next();
      if (lanes !== undefined) return lanes;
      await this.#change();
    }
  }

  async #change(): Promise<void> {
    this.#changed = Promise.withResolvers();
    await this.#changed.promise;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#signal.aborted) {
        await this.#meet();
        await this.#parts.context.pause(limit.embeddedMeetMs, this.#signal).catch(() => undefined);
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.#ended = true;
    this.#changed.resolve();
    await this.#leave();
  }

  async #meet(): Promise<void> {
    try {
      const held = await this.#parts.use((folder) => this.#look(folder));
      if (held !== undefined) this.#hold(held);
    } catch (error) {
      if (this.#signal.aborted) return;
      if (classifyError(error) !== "wait") throw error;
      // It may be thought dead by now: others have the lanes, or will.
      if (this.#isLate) this.#hold([]);
    }
  }

  /** What it has; undefined when that cannot have changed. */
  #look(folder: Folder): readonly Held<LogLane>[] | undefined {
    const now = this.#parts.clock();
    const { meeting } = folder;
    const before = this.#beaten;
    const isDue = before?.folder !== folder || before.boot !== now.boot || now.ms - before.ms >= limit.embeddedBeatMs;
    const { version } = meeting;
    if (!isDue && before.version === version) return undefined;
    const lanes = folder.lanes();
    if (before?.folder !== folder) meeting.register(this.#group);
    const names = lanes.map(({ name }) => name);
    const held = isDue ? meeting.beat(this.#group, this.#id, names) : meeting.heldBy(this.#group, this.#id);
    this.#beaten = { ...(isDue ? now : before), folder, version };
    return heldLanes(held, lanes);
  }

  get #isLate(): boolean {
    const { boot, ms } = this.#parts.clock();
    const before = this.#beaten;
    return before !== undefined && (before.boot !== boot || ms - before.ms > limit.embeddedLeaseMs);
  }

  #hold(held: readonly Held<LogLane>[]): void {
    this.#holdings.hold(held);
    this.#changed.resolve();
  }

  async #leave(): Promise<void> {
    if (this.#beaten === undefined) return;
    const names = (folder: Folder): string[] => folder.lanes().map(({ name }) => name);
    // Where that fails, the others notice that it is gone when they do not hear of it any more.
    await this.#parts
      .use((folder) => folder.meeting.leave(this.#group, this.#id, names(folder)))
      .catch(() => undefined);
  }
}

function heldLanes(held: readonly HeldLane[], lanes: readonly LogLane[]): readonly Held<LogLane>[] {
  const terms = new Map(held.map(({ name, term }) => [name, term]));
  return lanes.flatMap((lane) => {
    const term = terms.get(lane.name);
    return term === undefined ? [] : [{ key: `${lane.name}@${lane.incarnation}#${term}`, thing: lane }];
  });
}
