// node bench/rows/millrace-turns.ts DATA FROM TO FINGERPRINT PARALLEL: the application's turns, timed. A line on standard input begins a
// turn, whose milliseconds it prints.
import { createInterface } from "node:readline";
import { rows } from "../../apps/rows/application.ts";
import { applicationContext } from "../../src/http/application-context.ts";
import { Service } from "../../src/runtime/service.ts";
import { Settings } from "../../src/runtime/settings.ts";

const [data = "", from = "", to = "", fingerprint = "", parallel = "2"] = process.argv.slice(2);
const service = await Service.open({ data, onEvent: () => undefined });
const flags = [`rows.from=${from}`, `rows.to=${to}`, `rows.fingerprint=${fingerprint}`, `rows.parallel=${parallel}`];
const settings = new Settings({ rows: rows.settings }, { flags, environment: {}, config: { file: undefined }, data });
const opened = await rows.open(applicationContext(service, "rows", settings.of("rows", rows.settings), false));
console.log("ready");
for await (const _ of createInterface({ input: process.stdin })) {
  const began = performance.now();
  let count = 0;
  const nothing = (): void => undefined;
  await opened.cycle?.turn({ begun: nothing, say: nothing, summary: nothing, done: (some) => (count += some) });
  console.log(JSON.stringify({ rows: count, ms: performance.now() - began }));
}
await service.close();
