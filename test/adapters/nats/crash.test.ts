import { startNats } from "../../servers/nats.ts";
import { killedServerTests } from "../brokers/crash.ts";
import { makeLog } from "./scene.ts";

killedServerTests({
  service: "nats",
  start: () => startNats(),
  makeLog: ({ url }, place) => makeLog(`${url}/${place}?lanes=3`),
});
