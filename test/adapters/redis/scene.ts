import { join } from "node:path";
import { Redis } from "ioredis";
import { redisLog } from "../../../src/adapters/redis/index.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { Log } from "../../../src/ports/log.ts";
import { context, withOpen } from "../brokers/scene.ts";
import type { LaneNames } from "./member-child.ts";

/** Takes part in a group: see `MemberProcess`. */
export const memberProgram: `${LaneNames}` = join(import.meta.dirname, "member-child.ts");

let logs = 0;

/** A name that no other test has. */
export function freshName(): string {
  logs += 1;
  return `log:${process.pid}_${logs}`;
}

export function makeLog(url: string): Log {
  return redisLog(parsePlace(url), context);
}

/** Opens a log for `work` and closes it. */
export function withLog<Result>(url: string, work: (log: Log) => Promise<Result>): Promise<Result> {
  return withOpen(makeLog(url), work);
}

/** Redis by a connection of its own, as people have it. */
export async function withRedis<Result>(url: string, work: (redis: Redis) => Promise<Result>): Promise<Result> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, protocol: 2 });
  redis.on("error", () => {}); // What is asked fails as well.
  await redis.connect();
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

export async function removeLog(url: string, name: string): Promise<void> {
  await withRedis(url, async (redis) => {
    const keys = await redis.keys(`{${name}}:*`);
    await redis.del(name, ...keys);
  });
}
