// Takes part in a group as a process of its own, and prints each assignment as a line of JSON until it is told to end.
import { setTimeout as sleep } from "node:timers/promises";
import { kafkaLog } from "../../../src/adapters/kafka/index.ts";
import { parsePlace } from "../../../src/core/place.ts";

const [url = "", group = ""] = process.argv.slice(2);
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());

function say(event: string, fields: object = {}): void {
  console.log(JSON.stringify({ event, ...fields }));
}

const log = kafkaLog(parsePlace(url), {
  now: () => Date.now(),
  pause: async (ms, signal) => {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  },
  notice: (text) => say("notice", { text }),
});
await log.open();
for await (const assignment of log.assignments(group, stop.signal)) {
  say("assigned", { lanes: assignment.map(({ name }) => name) });
}
await log.close();
say("closed");
