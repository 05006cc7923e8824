// Takes part in a group until it is killed, and prints each assignment as a line of JSON.
import { Scene } from "./scene.ts";

export interface Assigned {
  readonly event: "assigned";
  /** Names of the lanes. */
  readonly lanes: readonly string[];
}

const [folder = "", group = ""] = process.argv.slice(2);
const scene = new Scene();
const log = await scene.open("", folder);
for await (const lanes of log.assignments(group, new AbortController().signal)) {
  const said: Assigned = { event: "assigned", lanes: lanes.map(({ name }) => name) };
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
