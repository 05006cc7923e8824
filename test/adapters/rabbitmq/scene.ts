import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConfirmChannel, connect } from "amqplib";
import { rabbitmqQueue } from "../../../src/adapters/rabbitmq/index.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { Queue } from "../../../src/ports/queue.ts";

export const freshName = (): string => `q-${randomBytes(4).toString("hex")}`;

export function makeQueue(url: string): Queue {
  return rabbitmqQueue(parsePlace(url), {
    now: () => Date.now(),
    pause: async (ms, signal) => {
      await sleep(ms, undefined, signal === undefined ? {} : { signal });
    },
    notice: () => undefined,
  });
}

/** Does something by other means than the adapter's. */
export async function withChannel<Result>(
  url: string,
  work: (channel: ConfirmChannel) => Promise<Result>,
): Promise<Result> {
  const connection = await connect(url);
  try {
    return await work(await connection.createConfirmChannel());
  } finally {
    await connection.close();
  }
}

export async function removeQueues(url: string, name: string): Promise<void> {
  await withChannel(url, async (channel) => {
    await channel.deleteQueue(name);
    await channel.deleteQueue(`${name}.dead`);
  });
}
