import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { firstTime } from "./first-time.ts";
import { freePort, HOST, inFolder, unprivileged } from "./place.ts";
import { findProgram, needProgram } from "./program.ts";
import { foreignServer, givenUrl, type RestartableServer, type Server, serve } from "./server.ts";

export interface NginxOptions {
  /** More lines inside `server { }`, such as a `location`. */
  settings?: string;
  /** A whole configuration to use instead, as its users have it: its `listen` becomes our address, its files ours. */
  configuration?: string;
  /** A folder to use, and to leave there: the same address as the last time. */
  kept?: string;
}

export interface NginxServer extends RestartableServer {
  /** What lies here is served; empty for a server that is not ours. */
  readonly files: string;
}

const SERVICE = "nginx";

function ownConfiguration(folder: string, settings = ""): string {
  return `events { }
http {
  access_log off;
  server {
    listen 80;
    root ${folder}/files;
    autoindex on;
    ${settings}
  }
}
`;
}

/** What a program in the foreground needs that owns one folder and no more. */
function placed(configuration: string, port: number, folder: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const paths = temporary.map((name) => `  ${name}_temp_path ${folder}/${name};`).join("\n");
  const text = configuration.replace(/^http \{/m, `http {\n${paths}`).replace("listen 80;", `listen ${HOST}:${port};`);
  return `daemon off;\nworker_processes 1;\npid ${folder}/pid;\nerror_log stderr;\n${text}`;
}

/** Fetches the front page, whatever it says. Answers the version. */
export async function askNginx({ url }: Pick<Server, "url">): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  await response.arrayBuffer();
  return `${response.headers.get("server") ?? "HTTP"} answers ${response.status}`;
}

export function availableNginx(): boolean {
  return findProgram("nginx") !== undefined;
}

export async function startNginx(options: NginxOptions = {}): Promise<NginxServer> {
  const given = givenUrl(SERVICE);
  if (given !== undefined) return { ...foreignServer(SERVICE, given), files: "" };
  const program = needProgram(SERVICE, "nginx");
  const user = unprivileged("www-data");
  const start = async (folder: string): Promise<NginxServer> => {
    const files = join(folder, "files");
    mkdirSync(files, { recursive: true });
    if (user !== undefined) chownSync(files, user.uid, user.gid);
    const { port } = await firstTime(folder, async () => ({ port: await freePort() }));
    const url = `http://${HOST}:${port}`;
    const text = options.configuration ?? ownConfiguration(folder, options.settings);
    writeFileSync(join(folder, "nginx.conf"), placed(text, port, folder));
    const server = await serve({
      service: SERVICE,
      url,
      folder,
      kept: options.kept !== undefined,
      command: program,
      args: ["-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")],
      user,
      ask: () => askNginx({ url }),
      stopSignal: "SIGQUIT",
    });
    return Object.assign(server, { files });
  };
  return inFolder(SERVICE, user, start, options.kept);
}
