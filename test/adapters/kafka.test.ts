import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { logConformance } from "../../src/conformance/index.ts";
import type { LogLane } from "../../src/ports/log.ts";
import type { Subject } from "../crash/processes.ts";
import { type KafkaServer, startKafka } from "../servers/kafka.ts";
import { describeWith } from "../servers/not-run.ts";
import { logAt, newName, recreateTopic, startMember, trimTopic } from "./kafka/scene.ts";

const options = "partitions=4&session_ms=6000";

describeWith("kafka", "kafka", () => {
  let server: KafkaServer;

  beforeAll(async () => {
    server = await startKafka();
  });
  afterAll(() => server.stop());

  logConformance({
    name: "kafka",
    api: { describe, it, expect },
    skips: {},
    create: async () => {
      const topic = newName("conformance");
      const processes: Subject[] = [];
      return {
        log: async () => logAt(server.url, topic, options),
        trim: (lane: LogLane, offset: bigint) => trimTopic(server.url, topic, lane, offset),
        recreate: () => recreateTopic(server.url, topic, 4),
        join: async (group: string) => {
          const process = startMember(`${server.url}/${topic}?${options}`, group);
          processes.push(process);
          await process.event(({ event }) => event === "assigned");
          return {
            kill: async () => {
              process.kill("SIGKILL");
              await process.ended;
            },
          };
        },
        unusable: async () => ({
          log: logAt("kafka://ann:wrong-secret@127.0.0.1:1", topic, "sasl=plain"),
          secrets: ["wrong-secret"],
        }),
        dispose: async () => {
          for (const process of processes) process.kill("SIGKILL");
          await Promise.all(processes.map(({ ended }) => ended));
        },
      };
    },
  });
});
