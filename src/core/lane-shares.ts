import type { Held } from "./held.ts";

/** Which lane a key belongs to, and which member of a group reads which lanes. */

/** Names of lanes by the member that reads them. Plain data: it is kept as JSON where a group meets. */
export type LaneShares = Readonly<Record<string, readonly string[]>>;

/**
 * Shares out all lanes among the members, so that their numbers differ by one at most and as few lanes as possible move.
 * The same for every member that computes it, in whatever order it knows the others. Answers `before` itself when that
 * is how it should be.
 */
export function shareLanes(before: LaneShares, members: readonly string[], lanes: readonly string[]): LaneShares {
  const places = new Map(lanes.map((lane, place) => [lane, place]));
  const held = stillHeld(before, [...new Set(members)].sort(byName), places);
  // Those that hold most are the ones that may have one more than others.
  const inOrder = [...held].sort(([a, some], [b, others]) => others.length - some.length || byName(a, b));
  const least = Math.floor(places.size / Math.max(1, inOrder.length));
  const withOneMore = places.size - least * inOrder.length;
  const shares = inOrder.map(([member, some], index) => {
    const count = least + (index < withOneMore ? 1 : 0);
    return { member, count, lanes: some.slice(0, count) };
  });
  const kept = new Set(shares.flatMap((share) => share.lanes));
  const free = [...places.keys()].filter((lane) => !kept.has(lane));
  for (const share of shares) share.lanes.push(...free.splice(0, share.count - share.lanes.length));
  const after = Object.fromEntries(shares.map((share) => [share.member, inPlace(share.lanes, places)]));
  return isSame(before, after) ? before : after;
}

/**
 * Who reads which lanes, and in which term each: by member and lane. A lane that goes to somebody else begins another
 * term, so that whoever has it again knows that it was another's. Plain data.
 */
export type LaneTerms = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** As `shareLanes`; `term` is what nobody has had before. */
export function shareTerms(
  before: LaneTerms,
  members: readonly string[],
  lanes: readonly string[],
  term: string,
): LaneTerms {
  const held = Object.fromEntries(Object.entries(before).map(([member, terms]) => [member, Object.keys(terms)]));
  const shares = shareLanes(held, members, lanes);
  if (shares === held) return before;
  const termOf = (member: string, lane: string): string =>
    (Object.hasOwn(before, member) ? before[member]?.[lane] : undefined) ?? term;
  const entries = Object.entries(shares).map(
    ([member, some]) => [member, Object.fromEntries(some.map((lane) => [lane, termOf(member, lane)]))] as const,
  );
  return Object.fromEntries(entries);
}

/** Terms as they were written as JSON; what is none was not written by Millrace, and counts as nothing. */
export function readTerms(text: string | undefined): LaneTerms {
  const read: unknown = text === undefined || text === "" ? {} : JSON.parse(text);
  if (typeof read !== "object" || read === null) return {};
  const entries = Object.entries(read).filter(
    (entry): entry is [string, object] => typeof entry[1] === "object" && entry[1] !== null,
  );
  return Object.fromEntries(
    entries.map(([member, terms]) => [
      member,
      Object.fromEntries(Object.entries(terms).map(([lane, term]) => [lane, String(term)])),
    ]),
  );
}

/** The lanes of a member, as it holds them: others when they were made anew, or were somebody else's in between. */
export function heldLanes<Lane extends { readonly name: string; readonly incarnation: string }>(
  terms: LaneTerms,
  member: string,
  lanes: readonly Lane[],
): readonly Held<Lane>[] {
  const own = Object.hasOwn(terms, member) ? (terms[member] ?? {}) : {};
  return lanes.flatMap((lane) => {
    const term = own[lane.name];
    return term === undefined ? [] : [{ key: `${lane.name}@${lane.incarnation}#${term}`, thing: lane }];
  });
}

/** Of each member, the lanes that are still there, each only of the first who has it. */
function stillHeld(
  before: LaneShares,
  members: readonly string[],
  places: ReadonlyMap<string, number>,
): Map<string, readonly string[]> {
  const taken = new Set<string>();
  return new Map(
    members.map((member) => {
      const lanes = Object.hasOwn(before, member) ? (before[member] ?? []) : [];
      const own = inPlace(lanes, places).filter((lane) => places.has(lane) && !taken.has(lane));
      for (const lane of own) taken.add(lane);
      return [member, [...new Set(own)]];
    }),
  );
}

function inPlace(lanes: readonly string[], places: ReadonlyMap<string, number>): string[] {
  return [...lanes].sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
}

function byName(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function isSame(before: LaneShares, after: LaneShares): boolean {
  const members = Object.keys(after);
  return (
    Object.keys(before).length === members.length &&
    members.every((member) => {
      const [some, others] = [Object.hasOwn(before, member) ? before[member] : undefined, after[member] ?? []];
      return some?.length === others.length && others.every((lane, index) => lane === some[index]);
    })
  );
}

/**
 * The lane of a key, from 0: its FNV-1a hash of 32 bits (http://www.isthe.com/chongo/tech/comp/fnv), mixed as at the end
 * of MurmurHash3 so that the low bits depend on all of it, modulo the number of lanes. Never to be changed: records of a
 * key would be in two lanes.
 */
export function laneOfKey(key: Uint8Array, lanes: number): number {
  let hash = 0x811c9dc5;
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % lanes;
}
