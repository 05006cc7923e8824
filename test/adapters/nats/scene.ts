import { join } from "node:path";
import { jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { natsLog } from "../../../src/adapters/nats/index.ts";
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
  return `log_${process.pid}_${logs}`;
}

export function makeLog(url: string): Log {
  return natsLog(parsePlace(url), context);
}

/** Opens a log for `work` and closes it. */
export function withLog<Result>(url: string, work: (log: Log) => Promise<Result>): Promise<Result> {
  return withOpen(makeLog(url), work);
}

/** JetStream by a connection of its own, as people have it. */
export async function withStreams<Result>(
  url: string,
  work: (manager: JetStreamManager, nats: NatsConnection) => Promise<Result>,
): Promise<Result> {
  const { username: user, password: pass, host } = new URL(url);
  const nats = await connect({ servers: host, reconnect: false, ...(user === "" ? {} : { user, pass }) });
  try {
    return await work(await jetstreamManager(nats), nats);
  } finally {
    await nats.close();
  }
}

export async function removeLog(url: string, name: string): Promise<void> {
  await withStreams(url, async ({ streams }) => {
    for await (const stream of streams.names()) {
      if (stream === name || stream.startsWith(`${name}-`)) await streams.delete(stream);
    }
  });
}
