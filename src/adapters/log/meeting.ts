import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type LaneShares, shareLanes } from "../../core/lane-shares.ts";
import { limit } from "../../core/limit.ts";
import { bigintOf, inTransaction } from "./database.ts";
import type { SteadyClock } from "./steady-clock.ts";

/** A lane that a member has. */
export interface HeldLane {
  readonly name: string;
  /** Rises when the lane goes to another member: with the same number it was this member's all the time. */
  readonly term: number;
}

/** Who has a lane, and since which change. Kept as JSON, by the lane's name. */
type Holders = Readonly<Record<string, { readonly member: string; readonly term: number }>>;

/** Where the processes of a group meet: each says that it is there, and shares the lanes out when somebody is not. */
export class Meeting {
  readonly #readers: DatabaseSync;
  readonly #clock: SteadyClock;
  readonly #statements: Readonly<
    Record<"group" | "register" | "share" | "come" | "go" | "bury" | "members" | "settle" | "version", StatementSync>
  >;

  constructor(readers: DatabaseSync, clock: SteadyClock) {
    this.#readers = readers;
    this.#clock = clock;
    this.#statements = {
      group: readers.prepare("select shares from reader_group where name = ?"),
      register: readers.prepare("insert into reader_group (name, shares) values (?, '{}') on conflict do nothing"),
      share: readers.prepare("update reader_group set shares = ? where name = ?"),
      come: readers.prepare(
        `insert into member (id, name, boot, until_ms) values (?, ?, ?, ?)
on conflict (id) do update set boot = excluded.boot, until_ms = excluded.until_ms`,
      ),
      go: readers.prepare("delete from member where id = ?"),
      bury: readers.prepare("delete from member where name = ? and (boot <> ? or until_ms < ?)"),
      members: readers.prepare("select id from member where name = ? order by id"),
      settle: readers.prepare(
        `insert into settled (name, lane, next) values (?, ?, ?)
on conflict (name, lane) do update set next = excluded.next where excluded.next > next`,
      ),
      version: readers.prepare("pragma data_version"),
    };
  }

  /** Another one whenever something may have changed that others wrote. */
  get version(): bigint {
    return bigintOf(this.#statements.version.get(), "data_version");
  }

  /** Makes the group known, on the disk on return: what it has not settled is kept from then on. */
  register(group: string): void {
    if (this.#statements.group.get(group) !== undefined) return;
    this.#readers.exec("pragma synchronous = extra");
    try {
      inTransaction(this.#readers, () => this.#statements.register.run(group));
    } finally {
      this.#readers.exec("pragma synchronous = normal");
    }
  }

  /** The member is there for another while, and whoever was not heard of is not. Answers the lanes that it has then. */
  beat(group: string, member: string, lanes: readonly string[]): readonly HeldLane[] {
    const { boot, ms } = this.#clock();
    return inTransaction(this.#readers, () => {
      this.#statements.come.run(member, group, boot, ms + limit.embeddedLeaseMs);
      this.#statements.bury.run(group, boot, ms);
      return heldBy(member, this.#shareOut(group, lanes));
    });
  }

  /** The member is there no more. */
  leave(group: string, member: string, lanes: readonly string[]): void {
    inTransaction(this.#readers, () => {
      this.#statements.go.run(member);
      this.#shareOut(group, lanes);
    });
  }

  /** What the member has, as it was shared out last. */
  heldBy(group: string, member: string): readonly HeldLane[] {
    return heldBy(member, this.#holders(group));
  }

  settle(group: string, lane: number, offset: bigint): void {
    this.register(group);
    this.#statements.settle.run(group, lane, offset);
  }

  #holders(group: string): Holders {
    return JSON.parse(String(this.#statements.group.get(group)?.["shares"] ?? "{}")) as Holders;
  }

  #shareOut(group: string, lanes: readonly string[]): Holders {
    const before = this.#holders(group);
    const members = this.#statements.members.all(group).map((row) => String(row["id"]));
    const after = holdersOf(shareLanes(sharesOf(before), members, lanes), before);
    const text = JSON.stringify(after);
    if (text !== JSON.stringify(before)) this.#statements.share.run(text, group);
    return after;
  }
}

function heldBy(member: string, holders: Holders): readonly HeldLane[] {
  return Object.entries(holders)
    .filter(([, holder]) => holder.member === member)
    .map(([name, { term }]) => ({ name, term }));
}

function sharesOf(holders: Holders): LaneShares {
  const shares: Record<string, string[]> = {};
  for (const [name, { member }] of Object.entries(holders)) (shares[member] ??= []).push(name);
  return shares;
}

function holdersOf(shares: LaneShares, before: Holders): Holders {
  const term = 1 + Object.values(before).reduce((most, holder) => Math.max(most, holder.term), 0);
  const holders: Record<string, { member: string; term: number }> = { ...before };
  for (const [member, names] of Object.entries(shares)) {
    for (const name of names) if (before[name]?.member !== member) holders[name] = { member, term };
  }
  return holders;
}
