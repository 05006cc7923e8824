import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { framesIn } from "../../../src/adapters/duckdb/shared/frames.ts";
import { type Answers, Peer } from "../../../src/adapters/duckdb/shared/peer.ts";
import { limit } from "../../../src/core/limit.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

function peerOn(socket: Socket, name: string, answers: Answers): Peer {
  socket.on("error", () => undefined);
  return new Peer(socket, framesIn(socket), answers, () => new Error(`${name} is alone`));
}

const nothing: Answers = (name) => Promise.reject(new Error(`nobody asked for "${name}" before`));

/** Two ends of one socket: the first asks, the second answers. */
async function pair(answers: Answers, asked: Answers = nothing): Promise<readonly [Peer, Peer]> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-peer-"));
  const server = createServer();
  server.listen(join(folder, "socket"));
  await once(server, "listening");
  const first = connect(join(folder, "socket"));
  const [second] = (await once(server, "connection")) as [Socket];
  closing.push(() => {
    first.destroy();
    second.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return [peerOn(first, "the first", asked), peerOn(second, "the second", answers)];
}

/** A long answer that counts what was asked of it. */
class Source {
  taken = 0;
  isLeft = false;

  async *pieces(count: number): AsyncIterable<readonly number[]> {
    try {
      for (; this.taken < count; this.taken += 1) yield [this.taken];
    } finally {
      this.isLeft = true;
    }
  }
}

describe("two processes that ask each other", () => {
  it("are answered side by side, in any order, by either", async () => {
    const slow = Promise.withResolvers<string>();
    const [first] = await pair(
      (name, args) => (name === "slow" ? slow.promise : Promise.resolve([name, ...args])),
      async () => "asked back",
    );
    const waiting = first.call("slow", []);
    expect(await first.call("quick", [1n, undefined])).toEqual(["quick", 1n, undefined]);
    slow.resolve("at last");
    expect(await waiting).toBe("at last");
  });

  it("may ask back before they answer", async () => {
    const peers: Peer[] = [];
    const pairing = pair(
      async () => [await peers[1]?.call("back", ["?"]), "answered"],
      async (name, args) => [name, ...args],
    );
    peers.push(...(await pairing));
    expect(await peers[0]?.call("ask", [])).toEqual([["back", "?"], "answered"]);
  });

  it("get errors for answers, also from what throws at once", async () => {
    const [first] = await pair((name) => {
      if (name === "throws") throw new TypeError("at once");
      return Promise.reject(new Error("later"));
    });
    await expect(first.call("throws", [])).rejects.toThrow("at once");
    await expect(first.call("rejects", [])).rejects.toThrow("later");
    const reading = first.list("rejects", [])[Symbol.asyncIterator]();
    await expect(reading.next()).rejects.toThrow("later");
    const tooLarge = new Uint8Array(limit.sharedFrameBytes);
    await expect(first.call("call", [tooLarge])).rejects.toMatchObject({ code: "SINK_REFUSED" });
  });
});

describe("a long answer", () => {
  it("is made only as far ahead as the reader has room for", async () => {
    const source = new Source();
    const [first] = await pair((name) => (name === "long" ? source.pieces(1000) : Promise.resolve("here")));
    const reading = first.list("long", [])[Symbol.asyncIterator]();
    for (let n = 0; n < 3; n += 1) expect((await reading.next()).value).toEqual([n]);
    // Whatever was to come unasked has come before these answers.
    for (let n = 0; n < 50; n += 1) await first.call("other", []);
    expect(source.taken).toBeLessThanOrEqual(3 + limit.sharedPiecesAhead);
    let last: readonly unknown[] = [];
    for (let next = await reading.next(); next.done !== true; next = await reading.next()) last = next.value;
    expect({ last, isLeft: source.isLeft }).toEqual({ last: [999], isLeft: true });
  });

  it("ends at its source when the reader leaves, and is over for the reader only then", async () => {
    const source = new Source();
    const [first] = await pair(() => source.pieces(1000));
    for await (const piece of first.list("long", [])) {
      expect(piece).toEqual([0]);
      break;
    }
    expect(source.isLeft).toBe(true);
    expect(source.taken).toBeLessThanOrEqual(1 + limit.sharedPiecesAhead);
  });

  it("of no piece is empty", async () => {
    const [first] = await pair(() => new Source().pieces(0));
    const pieces: unknown[] = [];
    for await (const piece of first.list("long", [])) pieces.push(piece);
    expect(pieces).toEqual([]);
  });
});

describe("when one of the two has gone", () => {
  it("the other's questions fail, those that wait and those to come, and its answers end", async () => {
    const source = new Source();
    const never = new Promise<never>(() => undefined);
    const [first, second] = await pair((name) => (name === "long" ? source.pieces(1000) : never));
    const waiting = first.call("never", []).catch((error: unknown) => error);
    const reading = first.list("long", [])[Symbol.asyncIterator]();
    await reading.next();
    second.end();
    await first.gone;
    expect(await waiting).toEqual(new Error("the first is alone"));
    const rest = async (): Promise<void> => {
      while ((await reading.next()).done !== true);
    };
    await expect(rest()).rejects.toThrow("the first is alone");
    await expect(first.call("later", [])).rejects.toThrow("the first is alone");
    await expect(first.list("later", [])[Symbol.asyncIterator]().next()).rejects.toThrow("the first is alone");
    await second.gone;
    expect({ first: first.isLost, second: second.isLost }).toEqual({ first: true, second: true });
    await expect.poll(() => source.isLeft).toBe(true);
  });

  it("is so too when it says what nobody understands", async () => {
    const folder = mkdtempSync(join(tmpdir(), "millrace-peer-"));
    const server = createServer((socket) => socket.end(Buffer.from([0, 0, 0, 2, 1, 2])));
    server.listen(join(folder, "socket"));
    await once(server, "listening");
    closing.push(() => {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const peer = peerOn(connect(join(folder, "socket")), "it", nothing);
    await expect(peer.call("anything", [])).rejects.toThrow("it is alone");
  });
});
