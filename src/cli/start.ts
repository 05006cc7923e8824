import { type Command, Option } from "commander";
import { MillraceError } from "../core/error.ts";
import { loadConfig, parseBytes } from "../runtime/config.ts";
import { dataFolder } from "../runtime/settings.ts";
import { type Application, type Role, roles, type RunningServer, startServer } from "../http/server.ts";
import { builtInApplications } from "./applications.ts";
import { addMemoryFlag, gather, given, list, wholeNumber } from "./flags.ts";
import { commandLine } from "./invocation.ts";
import { stdout } from "./screen.ts";
import { ServiceLog } from "./service-log.ts";
import { stopOnSignal } from "./stop.ts";
import { ownVersion } from "./version.ts";

interface StartFlags {
  readonly port?: number;
  readonly host?: string;
  readonly data?: string;
  readonly set?: readonly string[];
  readonly config?: string;
  readonly memory?: number;
  readonly apps?: readonly string[];
  readonly role?: Role;
  readonly json?: boolean;
}

const examples = `
Examples:
  $ millrace user add ada --role writer           who may call; asks for the password
  $ millrace start                                all applications at http://127.0.0.1:8080, data in .millrace
  $ millrace start --port 9000 --data /var/lib/millrace --set hr.to=postgres://me@db/hr
  $ MILLRACE_HR_TO=postgres://me@db/hr millrace start --json
  $ millrace start --apps fleet --role work       one more process that works at the fleet's pipelines, and serves none
  $ curl http://127.0.0.1:8080/docs               every route, to read and to try

Settings are GROUP.NAME: of an application (hr.to, hr.backup, hr.inbox, …), of the server (http.rateLimit, http.bodyBytes,
http.tlsCert, …), of users (users.place). --set wins over MILLRACE_GROUP_NAME, that over millrace.config.ts.
The first Ctrl-C (or SIGTERM) finishes requests and batches at hand.`;

export function define(command: Command): void {
  command
    .description("Serve all applications and run their pipelines, until stopped.")
    .option("--port <n>", "port to listen at; 0 for any that is free (standard 8080)", wholeNumber(0, 65_535))
    .option("--host <address>", "address to listen at (standard 127.0.0.1: this machine alone)")
    .option("--data <folder>", "what is embedded: tables, users, backups, inbox (standard .millrace)")
    .option("--set <setting>", "a setting, GROUP.NAME=VALUE; may be repeated", gather)
    .option("--apps <names>", "these applications alone, parted by commas", list)
    .addOption(new Option("--role <role>", "serve the routes, work at the pipelines, or all (standard)").choices(roles))
    .option("--config <file>", "the project's configuration");
  addMemoryFlag(command)
    .option("--json", "one JSON object a line on standard output")
    .addHelpText("after", examples)
    .action((flags: StartFlags) => start(flags));
}

async function start(flags: StartFlags): Promise<void> {
  const stop = stopOnSignal("finishing what is under way … (once more ends it now; nothing is lost)");
  const log = new ServiceLog(stdout, flags.json === true);
  // A service whose log has no reader any more goes on: its work is not for the reader.
  try {
    const config = await loadConfig(process.cwd(), flags.config);
    const data = dataFolder(flags.data, process.env, config.folder);
    const memoryBytes = flags.memory ?? (config.memory === undefined ? undefined : parseBytes(config.memory));
    const server = await startServer({
      applications: await chosenApplications(flags.apps),
      config,
      data,
      flags: [...(flags.set ?? []), ...flagSettings(flags)],
      environment: process.env,
      version: ownVersion(),
      log: (line) => log.write(line),
      onEvent: (event) => log.observe(event),
      ...given({ memoryBytes, role: flags.role }),
    });
    try {
      tellStart(server, data, flags, log);
      await aborted(stop.signal);
    } finally {
      await server.close();
    }
    log.say("stopped");
  } finally {
    stop.dispose();
  }
}

async function chosenApplications(names: readonly string[] | undefined): Promise<readonly Application[]> {
  const all = await builtInApplications();
  const unknown = names?.find((name) => !all.some((one) => one.name === name));
  if (unknown === undefined) return names === undefined ? all : all.filter(({ name }) => names.includes(name));
  throw new MillraceError("USAGE", `There is no application ${unknown}`, {
    remedy: `Applications are ${all.map(({ name }) => name).join(", ")}.`,
  });
}

function flagSettings({ port, host }: StartFlags): string[] {
  return [...(port === undefined ? [] : [`http.port=${port}`]), ...(host === undefined ? [] : [`http.host=${host}`])];
}

function tellStart({ url, places, hasUsers }: RunningServer, data: string, flags: StartFlags, log: ServiceLog): void {
  if (flags.json === true) {
    stdout.line(JSON.stringify({ event: "listening", url, data, places }));
    return;
  }
  stdout.line(`${stdout.style("bold", "Millrace")} at ${stdout.style("cyan", url)}`);
  stdout.line(`  routes     ${url}/docs`);
  stdout.line(`  data       ${data}`);
  for (const { setting, shown } of places) stdout.line(`  ${setting.padEnd(10)} ${shown}`);
  if (!hasUsers) {
    const add = commandLine("user", "add", "NAME", "--role", "writer", ...dataFlag(flags));
    stdout.line(`  users      none yet, so nobody can upload: ${add}`);
  }
  stdout.line();
  log.say("ready; Ctrl-C ends it");
}

function dataFlag({ data }: StartFlags): string[] {
  return data === undefined ? [] : ["--data", data];
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
