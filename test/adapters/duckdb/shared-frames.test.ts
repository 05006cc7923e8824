import { describe, expect, it } from "vitest";
import { Cutter, decode, encode, frameOf, framesIn } from "../../../src/adapters/duckdb/shared/frames.ts";
import { receivedError, sentError } from "../../../src/adapters/duckdb/shared/sent-error.ts";
import { explain, troubleOf } from "../../../src/adapters/duckdb/errors.ts";
import { MillraceError } from "../../../src/core/error.ts";
import { limit } from "../../../src/core/limit.ts";
import { RepeatedMessages } from "../../../src/ports/sink.ts";

async function* chunksOf(bytes: Buffer, size: number): AsyncIterable<Buffer> {
  for (let start = 0; start < bytes.byteLength; start += size) yield bytes.subarray(start, start + size);
}

async function readFrames(chunks: AsyncIterable<Buffer>): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const content of framesIn(chunks)) values.push(decode(content));
  return values;
}

describe("frames", () => {
  const values = [
    { big: -9223372036854775808n, bytes: Uint8Array.from([0, 255]), none: undefined, empty: null },
    [Number.NaN, -0, Number.POSITIVE_INFINITY, 5e-324, "\ufeff\u2028 漢🦀", "\ud800"],
    "x".repeat(200_000),
    new Uint8Array(0),
  ];

  it.each([1, 3, 4, 5, 7, 4096, 1_000_000])("bring every value as it is, in chunks of %i bytes", async (size) => {
    const bytes = Buffer.concat(values.map((value) => frameOf(encode(value))));
    const read = await readFrames(chunksOf(bytes, size));
    expect(read).toEqual(values);
    expect(Object.is((read[1] as number[])[1], -0)).toBe(true);
    expect(Object.keys(read[0] as object)).toContain("none");
  });

  it("have a largest size, on the way out and on the way in", async () => {
    const content = Buffer.alloc(limit.sharedFrameBytes + 1);
    expect(() => frameOf(content)).toThrow(expect.objectContaining({ code: "SINK_REFUSED" }));
    const head = Buffer.alloc(4);
    head.writeUInt32BE(limit.sharedFrameBytes + 1);
    await expect(readFrames(chunksOf(head, 4))).rejects.toThrow("too large");
    head.writeUInt32BE(100);
    expect(await readFrames(chunksOf(Buffer.concat([head, content.subarray(0, 99)]), 50))).toEqual([]);
  });

  it("hold as many items of a long answer as fit, in order, and a larger one alone", async () => {
    const large = "x".repeat(limit.sharedPieceBytes * 2);
    const items = [...Array.from({ length: 50_000 }, (_, n) => n), large, large, "last"];
    const cutter = new Cutter<unknown>((piece) => piece);
    const frames = [...cutter.cut(items.slice(0, 40_000)), ...cutter.cut(items.slice(40_000))];
    const pieces = (await readFrames(chunksOf(Buffer.concat(frames), 65_536))) as unknown[][];
    expect(pieces.flat()).toEqual(items);
    expect(pieces.length).toBeLessThan(50);
    expect(pieces.filter((piece) => piece.includes(large)).map((piece) => piece.length)).toEqual([1, 1]);
  });
});

describe("an error that goes to another process", () => {
  it("of Millrace keeps code, message, remedy, place and the cause's words", () => {
    const cause = new Error("the engine said so");
    const error = new MillraceError("FENCED", "taken", { remedy: "wait", at: { source: "a.csv", line: 7 }, cause });
    const received = receivedError(sentError(error)) as MillraceError;
    const { code, message, remedy, at } = received;
    expect({ code, message, remedy, at }).toEqual({
      ...{ code: "FENCED", message: "taken", remedy: "wait", at: { source: "a.csv", line: 7 } },
    });
    expect((received.cause as Error).message).toBe("the engine said so");
    expect(received).toBeInstanceOf(MillraceError);
  });

  it("of repeated messages keeps ids and where", () => {
    const received = receivedError(sentError(new RepeatedMessages(["a", "b"], "batch"))) as RepeatedMessages;
    expect(received).toBeInstanceOf(RepeatedMessages);
    expect({ ids: received.ids, where: received.where }).toEqual({ ids: ["a", "b"], where: "batch" });
  });

  it.each([
    ["Constraint Error: Duplicate key", "row"],
    ["TransactionContext Error: Conflict on update!", "conflict"],
    ["IO Error: No space left on device", "full"],
    ["Catalog Error: Table x does not exist", "other"],
  ])("of the engine (%s) means the same there", (message, trouble) => {
    const error = new Error(message);
    const received = receivedError(sentError(error));
    expect(troubleOf(received)).toBe(trouble);
    expect(explain(received, "duckdb:x").message).toBe(explain(error, "duckdb:x").message);
  });
});
