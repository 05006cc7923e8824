// Takes part in a group until it is killed, and prints each assignment as a line of JSON.
import { Scene } from "./scene.ts";

const [folder = "", group = ""] = process.argv.slice(2);
const scene = new Scene();
const log = await scene.open("", folder);
for await (const lanes of log.assignments(group, new AbortController().signal)) {
  process.stdout.write(`${JSON.stringify({ event: "assigned", lanes: lanes.map(({ name }) => name) })}\n`);
}
