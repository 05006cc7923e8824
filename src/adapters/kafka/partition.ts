/** Kafka's hash of keys: murmur2 of org.apache.kafka.common.utils.Utils, as a signed 32 bit number. */
export function murmur2(key: Uint8Array): number {
  const mix = 0x5bd1e995;
  const whole = key.length & ~3;
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  let hash = 0x9747b28c ^ key.length;
  for (let at = 0; at < whole; at += 4) {
    let part = Math.imul(view.getInt32(at, true), mix);
    part = Math.imul(part ^ (part >>> 24), mix);
    hash = Math.imul(hash, mix) ^ part;
  }
  const left = key.length - whole;
  if (left > 2) hash ^= view.getUint8(whole + 2) << 16;
  if (left > 1) hash ^= view.getUint8(whole + 1) << 8;
  if (left > 0) hash = Math.imul(hash ^ view.getUint8(whole), mix);
  hash = Math.imul(hash ^ (hash >>> 13), mix);
  return hash ^ (hash >>> 15);
}

/**
 * The partition of a key, where Kafka's own producer puts it too (BuiltInPartitioner.partitionForKey). The client's
 * default partitioner does not: it takes a negative hash as a number above 2^31 instead of clearing its sign.
 */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
