import { findProgram, needProgram } from "./program.ts";
import { freePort, HOST, inFolder } from "./place.ts";
import { foreignServer, givenUrl, type RestartableServer, type Server, serve } from "./server.ts";
import { Wire } from "./wire.ts";

export interface RedisOptions {
  /** Write each command to disk before it is answered; off, a killed server comes back empty. Default: off. */
  durable?: boolean;
  /** Settings for the command line, such as `{ maxmemory: "10mb" }`. */
  settings?: Record<string, string | number>;
}

const SERVICE = "redis";
const PROGRAM = "redis-server";

async function command(wire: Wire, text: string): Promise<string> {
  wire.write(`${text}\r\n`);
  const answer = await wire.line();
  if (answer.startsWith("-")) throw new Error(answer);
  return answer;
}

/** Writes a key and reads it back. Answers the server's version. */
export async function askRedis({ url }: Pick<Server, "url">): Promise<string> {
  using wire = await Wire.to(url);
  const { password } = new URL(url);
  if (password !== "") await command(wire, `AUTH ${password}`);
  await command(wire, "SET millrace:asked yes PX 60000");
  const length = await command(wire, "GET millrace:asked");
  const value = await wire.line();
  if (length !== "$3" || value !== "yes") throw new Error(`Unexpected answer ${length} ${value}`);
  await command(wire, "INFO server");
  for (let line = ""; ; line = await wire.line()) {
    if (line.startsWith("redis_version:")) return `Redis ${line.split(":")[1]}`;
  }
}

export function availableRedis(): boolean {
  return findProgram(PROGRAM) !== undefined;
}

function persistence(durable: boolean): Record<string, string> {
  return durable ? { appendonly: "yes", appendfsync: "always" } : { appendonly: "no", save: "" };
}

export async function startRedis(options: RedisOptions = {}): Promise<RestartableServer> {
  const given = givenUrl(SERVICE);
  if (given !== undefined) return foreignServer(SERVICE, given);
  const program = needProgram(SERVICE, PROGRAM);
  return inFolder(SERVICE, undefined, async (folder) => {
    const port = await freePort();
    const url = `redis://${HOST}:${port}`;
    const settings = { bind: HOST, port, dir: folder, ...persistence(options.durable === true), ...options.settings };
    return serve({
      service: SERVICE,
      url,
      folder,
      command: program,
      args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
      ask: () => askRedis({ url }),
    });
  });
}
