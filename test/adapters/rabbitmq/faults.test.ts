import { afterAll, beforeAll, beforeEach, afterEach, expect, it, vi } from "vitest";
import type { MillraceError } from "../../../src/core/error.ts";
import type { Queue } from "../../../src/ports/queue.ts";
import { describeWith } from "../../servers/not-run.ts";
import { startRabbitmq } from "../../servers/rabbitmq.ts";
import type { Server } from "../../servers/server.ts";
import { freshName, makeQueue, removeQueues, withChannel } from "./scene.ts";

const message = (text: string) => ({ id: text, body: Buffer.from(text) });

/** What it fails with, as people are told. */
async function failureOf(queue: Queue, work: Promise<unknown>) {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  const told = queue.explain(error) as MillraceError;
  return { code: told.code, kind: queue.classify(error), message: told.message };
}

describeWith("rabbitmq", "a queue of RabbitMQ", () => {
  let server: Server;
  let name: string;
  let queue: Queue;
  beforeAll(async () => {
    server = await startRabbitmq();
  }, 120_000);
  afterAll(() => server?.stop());
  beforeEach(() => {
    name = freshName();
    queue = makeQueue(`${server.url}/${name}`);
  });
  afterEach(async () => {
    await queue.close();
    await removeQueues(server.url, name);
  });

  it("that others have made is used as it is, and one that is full refuses for a while", async () => {
    const settings = { durable: true, arguments: { "x-max-length": 2, "x-overflow": "reject-publish" } };
    await withChannel(server.url, (channel) => channel.assertQueue(name, settings));
    await queue.open();
    await queue.publish([message("a"), message("b")]);
    const full = await failureOf(queue, queue.publish([message("c"), message("d"), message("e"), message("f")]));
    expect(full).toMatchObject({ code: "SINK_FULL", kind: "wait" });
    const consumer = await queue.consume(10);
    const last = (await consumer.next())?.at(-1);
    if (last !== undefined) consumer.acknowledge(last, "all before");
    // It confirms that there is room once it has taken the acknowledgement.
    await vi.waitFor(() => queue.publish([message("g")]), { timeout: 10_000, interval: 100 });
  });

  it("hands out again what it had handed out when it closes a channel, as for a delivery that was held too long", async () => {
    await queue.open();
    await queue.publish([message("a")]);
    const consumer = await queue.consume(1);
    expect((await consumer.next())?.length).toBe(1);
    const next = failureOf(queue, consumer.next());
    consumer.acknowledge({ number: 77 }, "alone");
    expect(await next).toMatchObject({ code: "SINK_UNREACHABLE", kind: "wait" });
    const [again] = (await (await queue.consume(1)).next()) ?? [];
    expect({ id: again?.id, attempts: again?.attempts }).toEqual({ id: "a", attempts: 1 });
  });

  it("says why there is none", async () => {
    const at = (change: (url: URL) => void): Queue => {
      const url = new URL(`${server.url}/${name}`);
      change(url);
      return makeQueue(url.href);
    };
    const cases = [
      [at((url) => void (url.pathname = `/nowhere/${name}`)), "SINK_REFUSED", "stop"],
      [at((url) => void (url.port = "1")), "SINK_UNREACHABLE", "wait"],
      [at((url) => void (url.password = "wrong")), "SINK_DENIED", "stop"],
      [makeQueue(`${server.url.replace("amqp:", "amqps:")}/${name}`), "SINK_UNREACHABLE", "stop"],
    ] as const;
    for (const [other, code, kind] of cases) {
      expect(await failureOf(other, other.open())).toMatchObject({ code, kind });
      await other.close();
    }
  });

  it("of a broker with an alarm of its disk: what is published waits, what is consumed goes on", {
    timeout: 120_000,
  }, async () => {
    const alarmed = await startRabbitmq({ diskFree: "900000GB" });
    const blocked = makeQueue(`${alarmed.url}/${name}`);
    try {
      await blocked.open();
      const first = await failureOf(blocked, blocked.publish([message("a")]));
      expect(first).toMatchObject({ code: "SINK_FULL", kind: "wait" });
      expect(first.message).toContain("takes nothing");
      expect((await failureOf(blocked, blocked.publish([message("b")]))).code).toBe("SINK_FULL");
      const consumer = await blocked.consume(1);
      expect(await consumer.waiting()).toBe(0);
    } finally {
      await blocked.close();
      await alarmed.stop();
    }
  });
});
