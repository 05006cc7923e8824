// Takes part in a group of readers of a log and writes the names of its lanes, a line for each assignment, until killed.
import { writeSync } from "node:fs";
import { redisLog } from "../../../src/adapters/redis/index.ts";
import { parsePlace } from "../../../src/core/place.ts";
import { context } from "../brokers/scene.ts";

/** Such as `0,2`. */
export type LaneNames = string;

const [, , url = "", group = ""] = process.argv;
const log = redisLog(parsePlace(url), context);
await log.open();
// Without the process that started it there is nobody to tell.
process.stdin.on("end", () => process.exit()).resume();
for await (const assignment of log.assignments(group, new AbortController().signal)) {
  const names: LaneNames = assignment.map(({ name }) => name).join();
  writeSync(1, `${names}\n`);
}
