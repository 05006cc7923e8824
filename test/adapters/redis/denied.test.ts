import { createServer } from "node:net";
import { inspect } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Log } from "../../../src/ports/log.ts";
import { describeWith } from "../../servers/not-run.ts";
import { freePort } from "../../servers/place.ts";
import { startRedis } from "../../servers/redis.ts";
import type { RestartableServer } from "../../servers/server.ts";
import { explained, record, within } from "../brokers/scene.ts";
import { freshName, makeLog, withLog, withRedis } from "./scene.ts";

async function refusal(log: Log, work: () => Promise<unknown>): Promise<{ code: string; kind: string; text: string }> {
  try {
    const error = await explained(log, work());
    return { code: error.code, kind: log.classify(error), text: `${inspect(error, { depth: 9 })} ${log.shown}` };
  } finally {
    await log.close();
  }
}

describeWith("redis", "a Redis server that asks who it is", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startRedis();
    await withRedis(server.url, async (redis) => {
      await redis.call("ACL", "SETUSER", "right", "on", ">pa:ss@ SECRET", "~*", "&*", "+@all");
      await redis.call("ACL", "SETUSER", "nobody", "on", ">SECRET", "~other*", "+@all");
      await redis.call("ACL", "SETUSER", "limited", "on", ">SECRET", "~*", "+@all", "-config", "-info", "-client");
    });
  });
  afterAll(() => server?.stop());

  const as = (login: string, more = ""): string =>
    `${server.url.replace("//", `//${login}@`)}/2?stream=${freshName()}&lanes=2${more}`;

  it("lets those in who have the right password, into the database that was asked for", async () => {
    const url = as("right:pa%3Ass%40%20SECRET");
    await withLog(url, async (log) => {
      await log.append([record("one", "k")]);
      expect(log.shown).not.toContain("SECRET");
    });
    await withRedis(server.url, async (redis) => {
      expect((await redis.keys("{log:*")).length).toBe(0);
      await redis.select(2);
      expect((await redis.keys("{log:*")).length).toBe(4);
    });
  });

  it("is never told with the password that it refuses", async () => {
    for (const login of ["right:SECRET", ":SECRET", "stranger:SECRET"]) {
      const log = makeLog(as(login));
      const { code, kind, text } = await refusal(log, () => log.open());
      expect([code, kind]).toEqual(["SINK_DENIED", "stop"]);
      expect(text).not.toContain("SECRET");
      expect(text).toContain(log.shown);
    }
  });

  it("names the right that is missing", async () => {
    const log = makeLog(as("nobody:SECRET"));
    const { code, kind, text } = await refusal(log, () => log.open());
    expect([code, kind]).toEqual(["SINK_DENIED", "stop"]);
    expect(text).not.toContain("SECRET");
  });

  it("need not say what it is set to", async () => {
    await withLog(as("limited:SECRET"), async (log) => {
      await log.append([record("one", "k")]);
      expect(log.facts.durability).toContain("it does not say");
    });
  });

  it("and does not have the database is told as such", async () => {
    const log = makeLog(server.url + `/9999?stream=${freshName()}`);
    expect(await refusal(log, () => log.open())).toMatchObject({ code: "SINK_REFUSED", kind: "stop" });
  });
});

describeWith("redis", "a Redis server that cannot be reached", () => {
  it("is told as such, and may come", async () => {
    const log = makeLog(`redis://me:SECRET@127.0.0.1:${await freePort()}/0?stream=log`);
    const { code, kind, text } = await refusal(log, () => log.open());
    expect([code, kind]).toEqual(["SINK_UNREACHABLE", "wait"]);
    expect(text).not.toContain("SECRET");
    const other = makeLog("redis://no.such.host.invalid/0?stream=log");
    expect(await refusal(other, () => other.open())).toMatchObject({ code: "SINK_UNREACHABLE", kind: "wait" });
  });

  it("as it talks no TLS is told as such", async () => {
    const server = await startRedis();
    try {
      const log = makeLog(`${server.url.replace("redis:", "rediss:")}/0?stream=log`);
      expect(await refusal(log, () => within(log.open(), "a refusal"))).toMatchObject({ code: "SINK_UNREACHABLE" });
    } finally {
      await server.stop();
    }
  });

  it("as it closes whatever is opened is told as such", async () => {
    const strange = createServer((socket) => {
      socket.on("error", () => {});
      socket.end();
    });
    const port = await new Promise<number>((resolve) => {
      strange.listen(0, "127.0.0.1", () => resolve((strange.address() as { port: number }).port));
    });
    const log = makeLog(`redis://me:SECRET@127.0.0.1:${port}/0?stream=log`);
    const { code, kind, text } = await refusal(log, () => log.open());
    expect([code, kind]).toEqual(["SINK_UNREACHABLE", "wait"]);
    expect(text).not.toContain("SECRET");
    strange.close();
  });
});
