import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { askAmqp, reachAmqp } from "./amqp.ts";
import { freePort, HOST, inFolder, unprivileged } from "./place.ts";
import { entries, findProgram, needProgram, ServiceMissing } from "./program.ts";
import { foreignServer, givenUrl, type RestartableServer, type Server, serve } from "./server.ts";

export interface RabbitmqOptions {
  /** More lines for rabbitmq.conf. */
  settings?: string;
  /** Such as `rabbitmq_management`; each costs time at the start. */
  plugins?: string[];
  /** Of the disk that has to be free; with more than there is, the broker takes nothing. */
  diskFree?: string;
}

const SERVICE = "rabbitmq";
const OWNER = "millrace";

/** The folder with the server's version in its name, of which Debian has one. */
export function rabbitmqFolder(): string | undefined {
  const root = "/usr/lib/rabbitmq/lib";
  const name = entries(root).find((entry) => entry.startsWith("rabbitmq_server-"));
  return name === undefined ? undefined : join(root, name);
}

/** Not the program on PATH: that one changes to the system's own RabbitMQ account and its folders. */
function findServer(): string | undefined {
  const folder = rabbitmqFolder();
  return folder === undefined ? findProgram("rabbitmq-server") : join(folder, "sbin", "rabbitmq-server");
}

/** Passes a message through a queue. */
export async function askRabbitmq({ url }: Pick<Server, "url">): Promise<string> {
  await askAmqp(url);
  return "RabbitMQ passes a message on";
}

export function availableRabbitmq(): boolean {
  return findServer() !== undefined && findProgram("epmd") !== undefined;
}

function configuration(port: number, password: string, { settings = "", diskFree = "50MB" }: RabbitmqOptions): string {
  return `listeners.tcp.1 = ${HOST}:${port}
default_user = ${OWNER}
default_pass = ${password}
loopback_users = none
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = ${diskFree}
log.console = true
log.file = false
${settings}
`;
}

/** Everything that would otherwise be shared with another RabbitMQ of the machine. */
async function environment(folder: string): Promise<Record<string, string>> {
  return {
    HOME: folder, // The Erlang cookie lies there.
    RABBITMQ_NODENAME: "millrace@localhost",
    RABBITMQ_CONF_ENV_FILE: join(folder, "environment.conf"),
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "plugins"),
    RABBITMQ_MNESIA_BASE: join(folder, "data"),
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, "config"),
    RABBITMQ_FEATURE_FLAGS_FILE: join(folder, "feature_flags"),
    RABBITMQ_PID_FILE: join(folder, "pid"),
    RABBITMQ_DIST_PORT: String(await freePort()),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}",
    RUNNING_UNDER_SYSTEMD: "true", // Then signals go to the server and not to a script before it.
    ERL_EPMD_PORT: String(await freePort()),
    ERL_EPMD_ADDRESS: HOST,
  };
}

/**
 * An Erlang node needs a name server, and would start one as a daemon that all nodes of the machine share and that
 * stays. This one is started first, belongs to the server's process group and ends with it.
 */
const SCRIPT = '"$1" & exec "$2"';

export async function startRabbitmq(options: RabbitmqOptions = {}): Promise<RestartableServer> {
  const given = givenUrl(SERVICE);
  if (given !== undefined) return foreignServer(SERVICE, given);
  const program = findServer();
  if (program === undefined) throw new ServiceMissing(SERVICE, "rabbitmq-server");
  const epmd = needProgram(SERVICE, "epmd");
  const user = unprivileged("rabbitmq");
  return inFolder(SERVICE, user, async (folder) => {
    const port = await freePort();
    const password = randomBytes(12).toString("hex");
    writeFileSync(join(folder, "environment.conf"), "");
    writeFileSync(join(folder, "rabbitmq.conf"), configuration(port, password, options));
    writeFileSync(join(folder, "plugins"), `[${(options.plugins ?? []).join(",")}].`);
    const url = `amqp://${OWNER}:${password}@${HOST}:${port}`;
    return serve({
      service: SERVICE,
      url,
      folder,
      command: "/bin/sh",
      args: ["-c", SCRIPT, "rabbitmq", epmd, program],
      env: await environment(folder),
      user,
      ask: () => (options.diskFree === undefined ? askAmqp(url) : reachAmqp(url)),
      stopGroup: true,
      startMs: 90_000,
    });
  });
}
