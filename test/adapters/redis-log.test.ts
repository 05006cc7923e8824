import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { idOf } from "../../src/adapters/redis/offset.ts";
import { logConformance } from "../../src/conformance/index.ts";
import { describeWith } from "../servers/not-run.ts";
import { startRedis } from "../servers/redis.ts";
import type { RestartableServer } from "../servers/server.ts";
import { freshName, makeLog, memberProgram, removeLog, withLog, withRedis } from "./redis/scene.ts";
import { MemberProcess } from "./brokers/scene.ts";

describeWith("redis", "a log on Redis", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startRedis({ durable: true });
  });
  afterAll(() => server?.stop());

  logConformance({
    name: "redis",
    api: { describe, it, expect },
    skips: {},
    create: async () => {
      const name = freshName();
      const url = `${server.url}/0?stream=${name}&lanes=3`;
      const processes: MemberProcess[] = [];
      return {
        log: async () => makeLog(url),
        trim: (lane, offset) =>
          withRedis(server.url, async (redis) => {
            await redis.xtrim(`{${name}}:${lane.name}`, "MINID", idOf(offset));
          }),
        recreate: async () => {
          await removeLog(server.url, name);
          await withLog(url, async () => undefined);
        },
        join: async (group) => {
          const process = new MemberProcess(memberProgram, url, group);
          processes.push(process);
          await process.joined();
          return process;
        },
        unusable: async () => ({
          log: makeLog(url.replace("//", "//millrace:wr%C3%B6ng%20S3CRET@")),
          secrets: ["wröng", "wr%C3%B6ng", "S3CRET"],
        }),
        dispose: async () => {
          for (const process of processes) await process.kill();
          await removeLog(server.url, name);
        },
      };
    },
  });
});
