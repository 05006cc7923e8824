import avro from "avsc";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limit } from "../../../src/core/limit.ts";
import { decimal, integer, json, table, text, timestamp } from "../../../src/core/table.ts";
import { decode, faultsOf, framed, framedBytes, linesOf, LocalRegistry, longBytes, recordOf } from "./schemas.ts";

/** What becomes of the one field `v` of this type and these bytes, in a column of JSON. */
async function read(type: unknown, bytes: Uint8Array, column = json()): Promise<string> {
  const registry = new LocalRegistry();
  const id = registry.add(recordOf({ name: "v", type }));
  const batch = await decode([framedBytes(id, bytes)], { registry, contract: table("rows", { v: column }) });
  return linesOf(batch)[0] ?? faultsOf(batch)[0]?.slice(1).join(" ") ?? "";
}

const bytes = (...values: readonly number[]): Buffer => Buffer.from(values);
const sized = (value: string | Uint8Array): Buffer => {
  const content = Buffer.from(value as string);
  return Buffer.concat([longBytes(BigInt(content.length)), content]);
};
const double = (value: number): Buffer => {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleLE(value);
  return buffer;
};
const fixed16 = { type: "fixed", name: "id", size: 16, logicalType: "uuid" };
const map = { type: "map", values: "int" };
const linked = {
  type: "record",
  name: "node",
  fields: [
    { name: "n", type: "int" },
    { name: "next", type: ["null", "node"] },
  ],
};

const becomes: readonly (readonly [string, unknown, Uint8Array, string])[] = [
  ["null", "null", bytes(), "null"],
  ["a boolean", "boolean", bytes(1), "true"],
  ["an int", "int", longBytes(-1n), "-1"],
  ["a long beyond 2^53, to the last digit", "long", longBytes(9007199254740993n), "9007199254740993"],
  ["the least long", "long", longBytes(-(2n ** 63n)), "-9223372036854775808"],
  ["a double", "double", double(0.1), "0.1"],
  ["a negative zero", "double", double(-0), "-0.0"],
  ["what is no number", "double", double(Number.NaN), '"NaN"'],
  ["a string with all that JSON escapes", "string", sized('a"\\\n\u0001é\u{1f600}'), '"a\\"\\\\\\n\\u0001é\u{1f600}"'],
  ["a string that begins with a byte order mark", "string", sized("\ufeffa"), '"\ufeffa"'],
  ["bytes, in base64", "bytes", sized(bytes(0, 255)), '"AP8="'],
  ["an enum", { type: "enum", name: "e", symbols: ["A", "B"] }, longBytes(1n), '"B"'],
  ["an array of blocks", { type: "array", items: "int" }, bytes(2, 2, 3, 4, 4, 6, 0), "[1,2,3]"],
  ["a map", map, Buffer.concat([bytes(2), sized("k"), bytes(8, 0)]), '{"k":4}'],
  ["a union, without the branch's name", ["null", "int"], bytes(2, 6), "3"],
  ["a record within itself", linked, bytes(2, 2, 4, 0), '{"n":1,"next":{"n":2,"next":null}}'],
  ["a date", { type: "int", logicalType: "date" }, longBytes(-1n), '"1969-12-31"'],
  ["a date of 10000", { type: "int", logicalType: "date" }, longBytes(2932897n), '"+010000-01-01"'],
  ["a time of milliseconds", { type: "int", logicalType: "time-millis" }, longBytes(3_723_004n), '"01:02:03.004"'],
  ["a time of microseconds", { type: "long", logicalType: "time-micros" }, longBytes(1n), '"00:00:00.000001"'],
  ["a timestamp", { type: "long", logicalType: "timestamp-millis" }, longBytes(-1n), '"1969-12-31T23:59:59.999Z"'],
  [
    "one of microseconds",
    { type: "long", logicalType: "timestamp-micros" },
    longBytes(-1n),
    '"1969-12-31T23:59:59.999999Z"',
  ],
  [
    "one of nanoseconds beyond 2^53",
    { type: "long", logicalType: "timestamp-nanos" },
    longBytes(1_636_253_322_000_000_001n),
    '"2021-11-07T02:48:42.000000001Z"',
  ],
  [
    "a local one",
    { type: "long", logicalType: "local-timestamp-micros" },
    longBytes(0n),
    '"1970-01-01T00:00:00.000000"',
  ],
  [
    "a decimal of bytes",
    { type: "bytes", logicalType: "decimal", precision: 9, scale: 2 },
    sized(bytes(0xff, 0x85)),
    "-1.23",
  ],
  [
    "a decimal of fixed",
    { type: "fixed", name: "d", size: 3, logicalType: "decimal", precision: 5, scale: 3 },
    bytes(0, 0, 7),
    "0.007",
  ],
  [
    "a decimal whose scale makes no sense, which is bytes",
    { type: "bytes", logicalType: "decimal", precision: 2, scale: 3 },
    sized(bytes(7)),
    '"Bw=="',
  ],
  [
    "a uuid of text",
    { type: "string", logicalType: "uuid" },
    sized("00000000-0000-0000-0000-000000000001"),
    '"00000000-0000-0000-0000-000000000001"',
  ],
  [
    "a uuid of fixed",
    fixed16,
    bytes(...Array.from({ length: 16 }, (_, n) => n)),
    '"00010203-0405-0607-0809-0a0b0c0d0e0f"',
  ],
  ["a string that is JSON", { type: "string", logicalType: "json" }, sized('{\n"a": 1.50}'), '{ "a": 1.50}'],
  ["one that is JSON to Debezium", { type: "string", "connect.name": "io.debezium.data.Json" }, sized("[1]"), "[1]"],
  ["a logical type that nobody knows, which is not there", { type: "int", logicalType: "shoe-size" }, bytes(4), "2"],
];

describe("a value of Avro becomes JSON", () => {
  it.each(becomes)("%s", async (_, type, value, expected) => {
    expect(await read(type, value)).toBe(`{"v":${expected}}`);
  });

  it("and keeps the digits of a decimal, and says of a time that it is UTC, where the column is text", async () => {
    const type = { type: "bytes", logicalType: "decimal", precision: 9, scale: 2 };
    expect(await read(["null", type], Buffer.concat([bytes(2), sized(bytes(125))]), text())).toBe('{"v":"1.25"}');
    expect(await read(type, sized(bytes(120)), text())).toBe('{"v":"1.20"}');
    expect(await read(type, sized(bytes(120)), decimal(9, 2))).toBe('{"v":"1.20"}');
    const time = { type: "long", logicalType: "timestamp-millis" };
    expect(await read(time, bytes(0), text())).toBe('{"v":"1970-01-01T00:00:00.000Z"}');
    expect(await read(time, bytes(0), timestamp())).toBe('{"v":"1970-01-01T00:00:00.000"}');
  });

  it("whatever avsc writes", async () => {
    const schema = recordOf(
      { name: "i", type: "int" },
      { name: "s", type: "string" },
      { name: "d", type: "double" },
      { name: "b", type: ["null", "boolean"] },
      { name: "a", type: { type: "array", items: { type: "map", values: ["null", "string"] } } },
    );
    const inner = fc.dictionary(fc.string({ unit: "grapheme" }), fc.option(fc.string({ unit: "binary" })));
    const row = fc.record({
      i: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      s: fc.string({ unit: "grapheme" }),
      d: fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
      b: fc.option(fc.boolean()),
      a: fc.array(inner, { maxLength: 3 }),
    });
    const type = avro.Type.forSchema(schema as avro.Schema);
    // What JSON cannot say in UTF-8, and what no database takes as text.
    const isPlain = (value: unknown): boolean => !/\\u0000|\\ud[89a-f]/.test(JSON.stringify(value));
    await fc.assert(
      fc.asyncProperty(fc.array(row.filter(isPlain), { minLength: 1, maxLength: 5 }), async (rows) => {
        const registry = new LocalRegistry();
        const id = registry.add(schema);
        const values = rows.map((value) => framedBytes(id, type.toBuffer(value)));
        const batch = await decode(values, { registry });
        expect(linesOf(batch).map((line) => JSON.parse(line) as unknown)).toEqual(
          rows.map((value) => JSON.parse(JSON.stringify(value)) as unknown),
        );
      }),
      { numRuns: 60 },
    );
  });
});

describe("fields become columns", () => {
  const contract = table("people", { id: integer(), "first name": text().nullable(), note: text().nullable() });
  const registry = new LocalRegistry();
  const older = recordOf({ name: "id", type: "int" }, { name: "note", type: "string" });
  const newer = recordOf(
    { name: "first_name", type: "string" },
    { name: "id", type: "long" },
    { name: "age", type: "int" },
  );
  const ids = [registry.add(older), registry.add(newer)] as const;
  const values = [
    framed(ids[0], older, { id: 1, note: "a" }),
    framed(ids[1], newer, { id: 2, first_name: "Ada", age: 3 }),
    framed(ids[0], older, { id: 3, note: "c" }),
  ];

  it("by their names, or those that columns have in Avro, whatever schema each message was written with", async () => {
    const batch = await decode(values, { registry, contract });
    expect(linesOf(batch)).toEqual([
      '{"id":1,"note":"a"}',
      '{"first name":"Ada","id":2,"age":3}',
      '{"id":3,"note":"c"}',
    ]);
    expect([batch.read, batch.count, batch.at(1).offset]).toEqual([3, 3, 101n]);
  });

  it("and what the contract lacks is read and dropped when it is to be", async () => {
    const batch = await decode(values, { registry, contract, ignoreExtra: true });
    expect(linesOf(batch)[1]).toBe('{"first name":"Ada","id":2}');
    expect(batch.format).toEqual({ format: "avro", registry: "local:registry", ignoreExtra: true });
  });

  it("of the record that a union at the top says, and of schemas that others name", async () => {
    const both = new LocalRegistry();
    const place = { type: "record", name: "geo.place", fields: [{ name: "x", type: "int" }] };
    const union = both.add([recordOf({ name: "id", type: "int" }), "null"]);
    const named = both.add(recordOf({ name: "at", type: "geo.place" }), { references: [JSON.stringify(place)] });
    const batch = await decode(
      [bytes(0, 0, 0, 0, union, 0, 2), bytes(0, 0, 0, 0, union, 2), bytes(0, 0, 0, 0, named, 8)],
      {
        registry: both,
      },
    );
    expect(linesOf(batch)).toEqual(['{"id":1}', '{"at":{"x":4}}']);
    expect(faultsOf(batch)).toEqual([[1, "malformed", "is not a record"]]);
  });

  it("with a schema asked for once, and those that are not known asked for again", async () => {
    const asked = new LocalRegistry();
    asked.add(older);
    const batch = await decode([values[0], framedBytes(7, bytes(1)), values[0]] as Buffer[], { registry: asked });
    expect(asked.asked).toEqual([[1, 7]]);
    expect(faultsOf(batch)).toEqual([[1, "schema", "its schema 7 is not known to local:registry"]]);
  });
});

describe("what cannot be read is a reject of its own", () => {
  const schema = recordOf({ name: "id", type: "int" }, { name: "name", type: "string" });
  const good = { id: 300, name: "Ada Lovelace" };

  it("cut short at any byte, or with something behind it", async () => {
    const registry = new LocalRegistry();
    const whole = framed(registry.add(schema), schema, good);
    const values = [
      ...Array.from({ length: whole.length }, (_, size) => whole.subarray(0, size)),
      Buffer.concat([whole, bytes(1)]),
    ];
    const batch = await decode([whole, ...values, whole], { registry });
    expect(batch.malformed.map(({ record, offset }) => [record, offset])).toEqual(
      values.map((_, n) => [n + 1, BigInt(n + 101)]),
    );
    expect(batch.malformed.map((reject) => Buffer.from(reject.bytes))).toEqual(values);
    expect(new Set(batch.malformed.flatMap(({ reasons }) => reasons.map(({ code }) => code)))).toEqual(
      new Set(["malformed"]),
    );
    expect(faultsOf(batch).at(-1)?.[2]).toBe("goes on for 1 bytes behind its record");
    expect([batch.recordOf(1), batch.at(1).offset]).toEqual([values.length + 1, BigInt(values.length + 101)]);
  });

  it.each([
    ["is JSON", Buffer.from('{"id":1}'), "begins with the byte 7b"],
    ["is empty", bytes(), "is empty"],
    ["ends in the id", bytes(0, 0), "in the middle of its schema's id"],
  ])("that %s", async (_, value, message) => {
    const batch = await decode([value], { registry: new LocalRegistry() });
    expect(faultsOf(batch)).toEqual([[0, "malformed", expect.stringContaining(message) as unknown]]);
  });

  it.each([
    ["an int of more than 32 bits", "int", longBytes(2n ** 31n), "an int has more"],
    ["a long of more than 64 bits", "long", bytes(...Array<number>(10).fill(255), 1), "more than 64 bits"],
    ["a boolean of 2", "boolean", bytes(2), "neither 0 nor 1"],
    ["a branch that is not there", ["null", "int"], longBytes(2n), "no branch 2"],
    ["a symbol that is not there", { type: "enum", name: "e", symbols: ["A"] }, longBytes(-1n), "no symbol -1"],
    ["JSON that is none", { type: "string", logicalType: "json" }, sized("{"), "holds none"],
    ["a string of no UTF-8", "string", sized(bytes(0xc3, 0x28)), "encoding a string is not valid UTF-8"],
    ["a string with a NUL", "string", sized("a\0b"), "NUL"],
    ["a string of a negative length", "string", longBytes(-1n), "out of bounds"],
    ["a string of 2^60 bytes", "string", longBytes(2n ** 60n), "out of bounds"],
    ["a string of 2^40 bytes", "string", longBytes(2n ** 40n), "ends too early"],
    [
      "a date that no calendar has",
      { type: "int", logicalType: "date" },
      longBytes(2n ** 31n - 1n),
      "a date is out of bounds",
    ],
    ["a time of the next day", { type: "int", logicalType: "time-millis" }, longBytes(86_400_000n), "time of day"],
    [
      "a decimal without end",
      { type: "bytes", logicalType: "decimal", precision: 9 },
      sized(Buffer.alloc(limit.avroDecimalBytes + 1)),
      "a decimal has more",
    ],
  ])("with %s", async (_, type, value, message) => {
    expect(await read(type, value)).toContain(message);
  });

  it.each([
    ["is no JSON", "{", "it is no JSON"],
    ["is no schema", { type: "record", name: "a" }, "has no fields"],
    ["is none of a record", "int", "it is none of a record"],
    ["names what is not there", recordOf({ name: "a", type: "there" }), 'the type "there" is not known'],
    ["has a field twice", recordOf({ name: "a", type: "int" }, { name: "a", type: "int" }), "twice"],
    ["is nested too deep", recordOf({ name: "a", type: nested(limit.avroDepth) }), "nested deeper than"],
    ["is nested beyond all bounds", `{"a":${"[".repeat(400_000)}${"]".repeat(400_000)}}`, ""],
    ["is too long", JSON.stringify(recordOf({ name: "a".repeat(limit.schemaChars), type: "int" })), "longer than"],
  ])("whose schema %s", async (_, text, message) => {
    const registry = new LocalRegistry();
    const batch = await decode([framedBytes(registry.add(text), bytes(0))], { registry });
    expect(faultsOf(batch)).toEqual([[0, "schema", expect.stringContaining(message) as unknown]]);
  });

  it("whose schema is one of Protobuf", async () => {
    const registry = new LocalRegistry();
    const id = registry.add("message A {}", { kind: "PROTOBUF" });
    const batch = await decode([framedBytes(id, bytes(0))], { registry });
    expect(faultsOf(batch)[0]?.[2]).toBe(`its schema ${id} cannot be used: it is of the type PROTOBUF`);
  });
});

/** An array in an array in an array … */
function nested(depth: number): object {
  let type: object = { type: "array", items: "int" };
  for (let level = 0; level < depth; level += 1) type = { type: "array", items: type };
  return type;
}

describe("hostile values cost no more than their bound", () => {
  const hostile: readonly (readonly [string, unknown, Uint8Array, string])[] = [
    ["an array of 2^51 items that take no byte", { type: "array", items: "null" }, longBytes(2n ** 51n), "too_long"],
    ["one of 2^62", { type: "array", items: "null" }, longBytes(2n ** 62n), "out of bounds"],
    [
      "one of -2^51, with its size",
      { type: "array", items: "null" },
      Buffer.concat([longBytes(-(2n ** 51n)), bytes(0)]),
      "too_long",
    ],
    ["a map of 2^51 entries", map, longBytes(2n ** 51n), "ends too early"],
    ["a record within itself 100 000 times", linked, Buffer.alloc(200_000, 2), `deeper than ${limit.avroDepth}`],
  ];
  it.each(hostile)("%s", async (_, type, value, message) => {
    expect(await read(type, value)).toContain(message);
  });

  it("a batch ends where what is made of it is large; the rest is for the next", async () => {
    const registry = new LocalRegistry();
    const schema = recordOf({ name: "a".repeat(200), type: { type: "array", items: "null" } });
    const id = registry.add(schema);
    const value = framedBytes(id, Buffer.concat([longBytes(1000n), bytes(0)]));
    const batch = await decode(Array<Buffer>(50).fill(value), { registry, batchBytes: 20_000 });
    expect([batch.read, batch.count]).toEqual([4, 4]);
    const flood = framedBytes(id, longBytes(2n ** 51n));
    const refused = await decode(Array<Buffer>(50).fill(flood), { registry, recordBytes: 5_000, batchBytes: 20_000 });
    expect([refused.read, refused.malformed.length]).toEqual([4, 4]);
  });

  it("a batch that brings many schemas ends where they are too many", async () => {
    const registry = new LocalRegistry();
    const values = Array.from({ length: 100 }, (_, n) =>
      framedBytes(registry.add(recordOf({ name: `f${n}`, type: "int" })), bytes(2)),
    );
    const batch = await decode(values, { registry });
    expect([batch.read, registry.asked[0]?.length]).toEqual([limit.schemasAtOnce, limit.schemasAtOnce]);
  });

  it("whatever bytes come, each message is accounted for", async () => {
    const registry = new LocalRegistry();
    const type = {
      type: "array",
      items: ["null", "long", "string", { type: "bytes", logicalType: "decimal", precision: 4 }, linked, map],
    };
    const id = registry.add(
      recordOf({ name: "v", type }, { name: "t", type: { type: "long", logicalType: "time-micros" } }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 20 }), async (all) => {
        const batch = await decode(
          all.map((one) => framedBytes(id, one)),
          { registry },
        );
        const good = Array.from({ length: batch.count }, (_, index) => batch.recordOf(index));
        const numbers = [...good, ...batch.malformed.map(({ record }) => record)].toSorted((a, b) => a - b);
        expect(numbers).toEqual(all.map((_, index) => index));
        for (const line of linesOf(batch)) JSON.parse(line);
      }),
      { numRuns: 200 },
    );
  });
});
