/**
 * The wire format of Confluent's serializers: a zero byte, the schema's id as four bytes with the big end first, the
 * value. https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
 */
export const headBytes = 5;

/** The id of a value's schema, or why it has none. */
export function schemaIdOf(value: Uint8Array): number | string {
  if (value.byteLength === 0) return "is empty";
  if (value[0] !== 0) {
    const first = (value[0] as number).toString(16).padStart(2, "0");
    return `is not in the wire format of a schema registry: it begins with the byte ${first} and not with 00`;
  }
  if (value.byteLength < headBytes) return "ends too early, in the middle of its schema's id";
  return Buffer.from(value.buffer, value.byteOffset, headBytes).readUInt32BE(1);
}

/** Writes the head in front of a value. */
export function writeHead(id: number, into: Buffer): void {
  into[0] = 0;
  into.writeUInt32BE(id, 1);
}
