// Takes part in a group as a process of its own, and prints each assignment as a line of JSON until it is told to end.
import { setTimeout as sleep } from "node:timers/promises";
import { kafkaLog } from "../../../src/adapters/kafka/index.ts";
import { parsePlace } from "../../../src/core/place.ts";

/** What it prints. */
export type MemberEvent =
  | { readonly event: "assigned"; readonly lanes: readonly string[] }
  | { readonly event: "notice"; readonly text: string }
  | { readonly event: "closed" };

const [url = "", group = ""] = process.argv.slice(2);
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());

function say(event: MemberEvent): void {
  console.log(JSON.stringify(event));
}

const log = kafkaLog(parsePlace(url), {
  now: () => Date.now(),
  pause: async (ms, signal) => {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  },
  notice: (text) => say({ event: "notice", text }),
});
await log.open();
for await (const assignment of log.assignments(group, stop.signal)) {
  say({ event: "assigned", lanes: assignment.map(({ name }) => name) });
}
await log.close();
say({ event: "closed" });
