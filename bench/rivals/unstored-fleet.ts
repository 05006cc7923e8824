// The fleet's routes as they are, over a log that keeps nothing: what POST /events costs without storing.
//
//   node bench/rivals/unstored-fleet.ts PORT FOLDER
import { addEvents } from "../../apps/fleet/events.ts";
import { startServer } from "../../src/http/server.ts";
import { application, type Log } from "../../src/index.ts";

const nowhere: Log = {
  shown: "nowhere",
  facts: { durability: "Nothing is kept.", valueBytesMax: 16 * 2 ** 20 },
  open: async () => {},
  append: async () => {},
  lanes: async () => [],
  // oxlint-disable-next-line require-yield -- there is nothing to hand out
  async *assignments() {},
  // oxlint-disable-next-line require-yield -- there is nothing to hand out
  async *read() {},
  settle: async () => {},
  classify: () => "stop",
  explain: (error) => error as Error,
  close: async () => {},
};

const fleet = application({
  name: "fleet",
  about: "events that are answered and not stored",
  settings: {},
  contracts: [],
  open: async (context) => ({ routes: (app) => addEvents(app, nowhere, () => context.now()) }),
});

const [port = "0", data = "."] = process.argv.slice(2);
await startServer({
  applications: [fleet],
  config: { file: undefined },
  flags: [`http.port=${port}`],
  environment: {},
  data,
  version: "0.0.0",
  role: "serve",
  log: () => {},
  onEvent: () => {},
});
