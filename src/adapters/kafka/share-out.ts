/** A process that takes part in reading, as the leader of its group sees it. */
export interface GroupMember {
  readonly id: string;
  readonly topics: readonly string[];
  /** Partitions that it reads now, by topic. */
  readonly owned: ReadonlyMap<string, readonly number[]>;
  /** Since when it does: of two that say they own a partition, the one of the later generation does. */
  readonly generation: number;
}

/** By member, by topic: its partitions in ascending order. */
export type Shares = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>;

/**
 * Shares the partitions of each topic among the members that read it: as equal as can be, and as few as can be change
 * hands. Every member is answered, with nothing where there is nothing for it.
 */
export function shareOut(members: readonly GroupMember[], partitions: ReadonlyMap<string, number>): Shares {
  const shares = new Map(members.map(({ id }) => [id, new Map<string, readonly number[]>()]));
  for (const [topic, count] of partitions) {
    const readers = members.filter(({ topics }) => topics.includes(topic));
    for (const [id, share] of shareTopic(topic, count, readers)) shares.get(id)?.set(topic, share);
  }
  return shares;
}

function shareTopic(topic: string, count: number, readers: readonly GroupMember[]): ReadonlyMap<string, number[]> {
  const kept = keptShares(topic, count, readers);
  const taken = new Set([...kept.values()].flat());
  const free = Array.from({ length: count }, (_, partition) => partition).filter((partition) => !taken.has(partition));
  for (const partition of free) {
    const [least] = [...kept.values()].sort((one, other) => one.length - other.length);
    least?.push(partition);
  }
  for (const share of kept.values()) share.sort((one, other) => one - other);
  return kept;
}

/** What each reader may keep: its equal share, and one more for as many of them as there are partitions over. */
function keptShares(topic: string, count: number, readers: readonly GroupMember[]): Map<string, number[]> {
  const least = Math.floor(count / Math.max(1, readers.length));
  let over = count - least * readers.length;
  const taken = new Set<number>();
  const shares = new Map<string, number[]>();
  const inOrder = readers.toSorted((one, other) => other.generation - one.generation || (one.id < other.id ? -1 : 1));
  for (const { id, owned } of inOrder) {
    const own = (owned.get(topic) ?? []).filter((partition) => partition < count && !taken.has(partition));
    const share = own.slice(0, own.length > least && over > 0 ? least + 1 : least);
    if (share.length > least) over -= 1;
    for (const partition of share) taken.add(partition);
    shares.set(id, share);
  }
  return shares;
}
