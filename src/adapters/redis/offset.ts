/**
 * Entries of a stream have ids `ms-seq`, each a number of 64 bits; offsets are one number below 2^63. The offset of an id
 * is ms · 2^21 + seq, which keeps their order and is exact for ms below 2^42 (times until the year 2109) and seq below
 * 2^21 (two million entries a millisecond): for all ids that Redis gives itself, to whoever writes `XADD … *`. Others,
 * which somebody would have to choose on purpose, have no offset.
 *
 * Millrace chooses its ids so that offsets count up: 0-1, 0-2, …, 0-2097151, 1-0, … A server that comes back without its
 * newest entries (no sync to disk, a replica that takes over) would give the numbers of lost entries to new ones, which a
 * reader who had read the lost ones would take for read. So the first id that is given in another life of the server is
 * 2^36 later: more than a week of a hundred thousand entries a second. See `append` in scripts.ts.
 */
const seqBits = 21n;
const seqsPerMs = 1n << seqBits;
const msMax = 1n << 42n;

/** Undefined for an id that has no offset. */
export function offsetOf(id: string): bigint | undefined {
  const [, ms = "", seq = ""] = /^(\d{1,20})-(\d{1,20})$/.exec(id) ?? [];
  if (ms === "" || BigInt(ms) >= msMax || BigInt(seq) >= seqsPerMs) return undefined;
  return BigInt(ms) * seqsPerMs + BigInt(seq);
}

export function idOf(offset: bigint): string {
  return `${offset >> seqBits}-${offset & (seqsPerMs - 1n)}`;
}

/** In ms since 1970, of an entry whose id is its time. */
export function timeMsOf(offset: bigint): number {
  return Number(offset >> seqBits);
}
