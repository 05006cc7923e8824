// The fleet with its servers, as plain processes or in containers:
//
//   npm run fleet -- up           Kafka, PostgreSQL, two producers behind nginx, two consumers; says where they are
//   npm run fleet -- down [-v]    ends them; -v removes what they have stored
//   npm run infra -- up           Kafka and PostgreSQL alone; fleet up adds the others
//   npm run infra -- down [-v]
//
//   --brokers 3      three brokers instead of one
//   --folder DIR     where data and logs lie (standard .millrace-fleet)
//   --docker         containers by docker compose, deploy/fleet/compose.yaml
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { table } from "./services/table.ts";
import * as docker from "./fleet/docker.ts";
import * as plain from "./fleet/plain.ts";
import type { Half, State } from "./fleet/state.ts";

interface Options {
  readonly halves: readonly Half[];
  readonly action: "up" | "down";
  readonly brokers: 1 | 3;
  readonly folder: string;
  readonly docker: boolean;
  readonly volumes: boolean;
}

function optionsOf(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      brokers: { type: "string", default: "1" },
      folder: { type: "string", default: ".millrace-fleet" },
      docker: { type: "boolean", default: false },
      volumes: { type: "boolean", short: "v", default: false },
    },
  });
  const [half, action, ...more] = positionals;
  const { docker: inDocker, volumes } = values;
  const brokers = Number(values.brokers);
  const known = (half === "infra" || half === "fleet") && (action === "up" || action === "down") && more.length === 0;
  if (!known || (brokers !== 1 && brokers !== 3)) {
    throw new Error("usage: npm run infra|fleet -- up|down [-v] [--brokers 1|3] [--folder DIR] [--docker]");
  }
  const halves: readonly Half[] = half === "infra" ? ["infra"] : ["infra", "fleet"];
  return { halves, action, brokers, folder: resolve(values.folder), docker: inDocker, volumes };
}

async function run({ halves, action, brokers, folder, docker: inDocker, volumes }: Options): Promise<void> {
  if (action === "down") {
    await (inDocker ? docker.down(volumes) : plain.down(halves, folder, volumes));
    return;
  }
  if (inDocker) await docker.up(halves, brokers);
  else tell(await plain.up(halves, folder, brokers), folder);
}

function tell(states: readonly State[], folder: string): void {
  const rows = states.flatMap(({ parts }) => parts.map((part) => [part.name, withoutPassword(part.url), part.folder]));
  console.log(table(rows));
  const [infra, fleet] = states;
  console.log(`\nstream  ${infra?.places["stream"]}\ntable   ${withoutPassword(infra?.places["table"] ?? "")}`);
  console.log(`The table's password stands in ${folder}/infra.json.`);
  if (fleet !== undefined) console.log(`\nnpm run millrace -- fleet --vehicles 50 --host ${fleet.places["url"]}`);
}

function withoutPassword(url: string): string {
  return url.replace(/^(postgres:\/\/[^:]+):[^@]*@/, "$1@");
}

try {
  await run(optionsOf(process.argv.slice(2)));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
