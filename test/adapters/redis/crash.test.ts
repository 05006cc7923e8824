import { startRedis } from "../../servers/redis.ts";
import { killedServerTests } from "../brokers/crash.ts";
import { makeLog } from "./scene.ts";

killedServerTests({
  service: "redis",
  start: () => startRedis({ durable: true }),
  makeLog: ({ url }, place) => makeLog(`${url}/0?stream=${place}&lanes=3`),
});
