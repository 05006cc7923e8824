import { application, type BatchWatch, deadLetterWatch, pipeline, setting } from "../../src/index.ts";
import { addEvents } from "./events.ts";
import { Live } from "./live.ts";
import { addLive } from "./live-route.ts";
import { diag } from "./tables.ts";

const settings = {
  stream: setting.place(
    "log:{data}/stream/test_topic",
    "where events are durable before they are answered: log:, kafka:, nats: or redis:",
  ),
  to: setting.place("duckdb:{data}/fleet.duckdb", "where the table diag is"),
  deadLetters: setting.place("", "a log or queue that gets every rejected event as well; none when empty"),
  lingerMs: setting.count(200, "how long the first event of a batch waits for others, in ms", { max: 60_000 }),
};

/** Vehicles' events over HTTP, through a durable stream, into a table. */
export const fleet = application({
  name: "fleet",
  about: "events of vehicles over HTTP, through a durable stream, into a table; nothing lost, nothing twice",
  settings,
  contracts: [diag],
  async open(context) {
    const { stream: url, to, deadLetters, lingerMs } = context.settings;
    const stream = await context.log(url);
    const live = new Live(stream, () => context.now());
    const watch: BatchWatch = {
      committed: (batch) => live.committed(batch),
      ...(deadLetters === "" ? {} : deadLetterWatch(await context.appendable(deadLetters), () => context.now())),
    };
    const events = pipeline("fleet:events").from(url, { lingerMs }).check(diag).to(to, { lineage: true });
    return {
      routes(app) {
        addEvents(app, stream, () => context.now());
        addLive(app, live, context.stopping);
      },
      pipelines: [{ pipeline: events, watch }],
    };
  },
});
