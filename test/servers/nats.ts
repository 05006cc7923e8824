import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, HOST, inFolder } from "./place.ts";
import { findProgram, needProgram } from "./program.ts";
import { foreignServer, givenUrl, type RestartableServer, type Server, serve } from "./server.ts";
import { Wire } from "./wire.ts";

export interface NatsOptions {
  /** More lines for the configuration file. */
  settings?: string;
}

const SERVICE = "nats";
const PROGRAM = "nats-server";

function configuration(port: number, folder: string, settings = ""): string {
  return `listen: "${HOST}:${port}"
jetstream { store_dir: ${JSON.stringify(join(folder, "streams"))}, max_memory_store: 64MB, max_file_store: 1GB }
${settings}
`;
}

/** Asks JetStream about itself, which takes a subscription, a publication and a reply. Answers the version. */
export async function askNats({ url }: Pick<Server, "url">): Promise<string> {
  using wire = await Wire.to(url);
  const { version } = JSON.parse((await wire.line()).slice("INFO ".length)) as { version: string };
  const { username: user, password: pass } = new URL(url);
  const login = user === "" ? {} : { user, pass };
  wire.write(`CONNECT ${JSON.stringify({ verbose: false, ...login })}\r\n`);
  wire.write("SUB millrace.asked 1\r\nPUB $JS.API.INFO millrace.asked 0\r\n\r\n");
  const head = await wire.line();
  const answer = await wire.line();
  if (!head.startsWith("MSG millrace.asked") || !answer.includes("account_info_response")) {
    throw new Error(`Unexpected answer ${head} ${answer}`);
  }
  return `NATS ${version} with JetStream`;
}

export function availableNats(): boolean {
  return findProgram(PROGRAM) !== undefined;
}

/** With JetStream on disk. */
export async function startNats(options: NatsOptions = {}): Promise<RestartableServer> {
  const given = givenUrl(SERVICE);
  if (given !== undefined) return foreignServer(SERVICE, given);
  const program = needProgram(SERVICE, PROGRAM);
  return inFolder(SERVICE, undefined, async (folder) => {
    const port = await freePort();
    const url = `nats://${HOST}:${port}`;
    const file = join(folder, "nats.conf");
    writeFileSync(file, configuration(port, folder, options.settings));
    return serve({
      service: SERVICE,
      url,
      folder,
      command: program,
      args: ["--config", file],
      ask: () => askNats({ url }),
    });
  });
}
