import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { queueConformance } from "../../src/conformance/index.ts";
import { describeWith } from "../servers/not-run.ts";
import { startRabbitmq } from "../servers/rabbitmq.ts";
import type { Server } from "../servers/server.ts";
import { freshName, makeQueue, removeQueues, withChannel } from "./rabbitmq/scene.ts";

describeWith("rabbitmq", "RabbitMQ", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startRabbitmq();
  }, 120_000);
  afterAll(() => server?.stop());

  queueConformance({
    name: "rabbitmq",
    api: { describe, it, expect },
    skips: {},
    create: async () => {
      const name = freshName();
      const url = `${server.url}/${name}`;
      return {
        queue: async () => makeQueue(url),
        remove: () => withChannel(server.url, async (channel) => void (await channel.deleteQueue(name))),
        unusable: async () => ({
          queue: makeQueue(url.replace(/\/\/[^@]*@/, "//millrace:wr%C3%B6ng%20PASS@")),
          secrets: ["wröng", "wr%C3%B6ng", "PASS"],
        }),
        dispose: () => removeQueues(server.url, name),
      };
    },
  });
});
