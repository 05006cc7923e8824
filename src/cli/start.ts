import { type Command, Option } from "commander";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { type LoadedConfig, loadConfig, parseBytes } from "../runtime/config.ts";
import { dataFolder } from "../runtime/settings.ts";
import { joinWorkers, type Member } from "../runtime/workers/member.ts";
import type { Listening } from "../runtime/workers/questions.ts";
import { type Application, type Role, roles, type ServerOptions, startServer } from "../http/server.ts";
import { builtInApplications } from "./applications.ts";
import { addMemoryFlag, gather, given, list, wholeNumber } from "./flags.ts";
import { commandLine } from "./invocation.ts";
import { stdout } from "./screen.ts";
import { ServiceLog } from "./service-log.ts";
import { startWorkers } from "./start-workers.ts";
import { aborted, stopOnSignal } from "./stop.ts";
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
  readonly workers?: number;
  readonly json?: boolean;
}

const examples = `
Examples:
  $ millrace user add ada --role writer           who may call; asks for the password
  $ millrace start                                all applications at http://127.0.0.1:8080, data in .millrace
  $ millrace start --port 9000 --data /var/lib/millrace --set hr.to=postgres://me@db/hr
  $ MILLRACE_HR_TO=postgres://me@db/hr millrace start --json
  $ millrace start --workers 4                    four processes at one port; millrace reload exchanges them, no request lost
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
    .option("--workers <n>", "processes at one port, one of which runs the pipelines", wholeNumber(1, limit.workers))
    .option("--config <file>", "the project's configuration");
  addMemoryFlag(command)
    .option("--json", "one JSON object a line on standard output")
    .addHelpText("after", examples)
    .action((flags: StartFlags) => start(flags));
}

async function start(flags: StartFlags): Promise<void> {
  const member = joinWorkers();
  if (member !== undefined) return serveAsWorker(flags, member);
  const stop = stopOnSignal("finishing what is under way … (once more ends it now; nothing is lost)");
  const log = new ServiceLog(stdout, flags.json === true);
  try {
    const project = await projectOf(flags);
    if (flags.workers !== undefined) {
      requireAllRoles(flags);
      const tell = (listening: Listening): void => tellStart(listening, project.data, flags, log);
      return await startWorkers({
        count: flags.workers,
        port: flags.port,
        data: project.data,
        signal: stop.signal,
        log,
        tell,
      });
    }
    const server = await startServer(await serverOptions(flags, project, log));
    try {
      tellStart(server, project.data, flags, log);
      await aborted(stop.signal);
    } finally {
      await server.close();
    }
    log.say("stopped");
  } finally {
    stop.dispose();
  }
}

/** One of several processes: the one that keeps them says when to stop, and tells people what there is to tell. */
async function serveAsWorker(flags: StartFlags, member: Member): Promise<void> {
  // What a terminal sends goes to all processes at once; the one that keeps them decides.
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
  const stop = stopOnSignal(`worker ${member.number}: finishing what is under way …`, ["SIGTERM"]);
  const log = new ServiceLog(stdout, flags.json === true);
  try {
    const project = await projectOf(flags);
    const server = await startServer({
      ...(await serverOptions({ ...flags, ...given({ port: member.port }) }, project, log)),
      member,
    });
    try {
      const { url, places, hasUsers, socket } = server;
      await member.listening({ url, places, hasUsers, ...given({ socket }) });
      await aborted(AbortSignal.any([stop.signal, member.stop]));
    } finally {
      await server.close({ gently: member.stop.reason === "gently" });
    }
  } finally {
    stop.dispose();
  }
  // All is closed. What the engine may still hold of a query that nobody reads is let go with the process.
  process.exit(0);
}

interface Project {
  readonly config: LoadedConfig;
  readonly data: string;
}

async function projectOf(flags: StartFlags): Promise<Project> {
  const config = await loadConfig(process.cwd(), flags.config);
  return { config, data: dataFolder(flags.data, process.env, config.folder) };
}

async function serverOptions(flags: StartFlags, { config, data }: Project, log: ServiceLog): Promise<ServerOptions> {
  const memoryBytes = flags.memory ?? (config.memory === undefined ? undefined : parseBytes(config.memory));
  return {
    applications: await chosenApplications(flags.apps),
    config,
    data,
    flags: [...(flags.set ?? []), ...flagSettings(flags)],
    environment: process.env,
    version: ownVersion(),
    log: (line) => log.write(line),
    onEvent: (event) => log.observe(event),
    ...given({ memoryBytes, role: flags.role }),
  };
}

/** Which worker does what is decided among them. */
function requireAllRoles({ role }: StartFlags): void {
  if (role === undefined || role === "all") return;
  throw new MillraceError("USAGE", `--workers and --role ${role} do not go together`, {
    remedy: "Leave one of them out: of several workers the first runs the pipelines, and all serve.",
  });
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

function tellStart({ url, places, hasUsers }: Listening, data: string, flags: StartFlags, log: ServiceLog): void {
  if (flags.json === true) {
    stdout.line(JSON.stringify({ event: "listening", url, data, places, ...given({ workers: flags.workers }) }));
    return;
  }
  stdout.line(`${stdout.style("bold", "Millrace")} at ${stdout.style("cyan", url)}`);
  stdout.line(`  routes     ${url}/docs`);
  stdout.line(`  data       ${data}`);
  if (flags.workers !== undefined) stdout.line(`  workers    ${flags.workers}`);
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
