import { expect, it } from "vitest";
import { laneMark, messageIdText, parseMessageId } from "../../src/runtime/message-id.ts";
import { originsField, originsOf, packOrigins } from "../../src/runtime/origins.ts";

it("an id is that of a stage's message, or none", () => {
  const mark = laneMark("orders:1", "sha256:abc#2");
  expect(parseMessageId(messageIdText({ mark, row: 12_345 }))).toEqual({ mark, row: 12_345 });
  // The same lane of another pipeline is another one.
  expect(laneMark("orders:2", "sha256:abc#2")).not.toBe(mark);
  for (const other of [undefined, "", "7f1c", `m:${mark}`, `m:${mark}:x`, `people/0@12`]) {
    expect(parseMessageId(other)).toBeUndefined();
  }
});

it("packed origins come out as they went in, in a few bytes a record", () => {
  const [a, b] = [laneMark("p:1", "a"), laneMark("p:1", "b")];
  const some = [
    { mark: a, row: 10 },
    { mark: a, row: 11 },
    undefined,
    { mark: b, row: 9_000_000_000 },
    { mark: a, row: 13 },
    { mark: b, row: 3 },
  ];
  const packed = packOrigins(some.map((id) => (id === undefined ? undefined : messageIdText(id))));
  expect(originsOf({ row: 0, [originsField]: packed ?? null })).toEqual(some);
  const many = Array.from({ length: 20_000 }, (_, n) => messageIdText({ mark: a, row: n * 7 }));
  expect(JSON.stringify(packOrigins(many)).length).toBeLessThan(3 * many.length);
  expect(packOrigins(["another's id", undefined])).toBeUndefined();
  expect(originsOf({ row: 0 })).toEqual([]);
});
