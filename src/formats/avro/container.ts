/**
 * The frame of an Avro object container file, version 1.12.0 of the specification
 * (https://avro.apache.org/docs/1.12.0/specification/#object-container-files): the magic bytes, a map of metadata, a
 * sync marker, and blocks: the count of their records, their size, the records, the sync marker. Counts and sizes are
 * longs: zigzag, seven bits a byte, the lowest first. The streams of avsc do not tell a file that ends within a block
 * from one that is whole, and take twice as long for a record; its types are used for the records.
 */
export const magic = Buffer.from("Obj\x01", "latin1");
export const syncBytes = 16;

export function longBytes(value: number): Buffer {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no length`);
  const bytes: number[] = [];
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** A long that is a length: undefined when the bytes end within it. Throws a RangeError when it is none. */
export function readLong(from: Uint8Array, at: number): { readonly value: number; readonly end: number } | undefined {
  let rest = 0;
  for (let index = 0; index < 8; index += 1) {
    const byte = from[at + index];
    if (byte === undefined) return undefined;
    rest += (byte % 128) * 128 ** index;
    if (byte < 128) return { value: rest % 2 === 0 ? rest / 2 : -(rest + 1) / 2, end: at + index + 1 };
  }
  throw new RangeError("a length is out of bounds");
}

export function headerBytes(metadata: Readonly<Record<string, string>>, sync: Uint8Array): Buffer {
  const text = (value: string): Buffer[] => [longBytes(Buffer.byteLength(value)), Buffer.from(value)];
  const entries = Object.entries(metadata);
  const map = [longBytes(entries.length), ...entries.flat().flatMap(text), longBytes(0)];
  return Buffer.concat([magic, ...map, sync]);
}
