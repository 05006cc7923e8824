import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, HOST, inFolder, unprivileged } from "./place.ts";
import { findProgram, needProgram } from "./program.ts";
import { foreignServer, givenUrl, type RestartableServer, type Server, serve } from "./server.ts";

export interface NginxOptions {
  /** More lines inside `server { }`, such as a `location`. */
  settings?: string;
}

export interface NginxServer extends RestartableServer {
  /** What lies here is served; empty for a server that is not ours. */
  readonly files: string;
}

const SERVICE = "nginx";

function configuration(port: number, folder: string, settings = ""): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr;
events { }
http {
  access_log off;
${temporary.map((name) => `  ${name}_temp_path ${folder}/${name};`).join("\n")}
  server {
    listen ${HOST}:${port};
    root ${folder}/files;
    autoindex on;
    ${settings}
  }
}
`;
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
  return inFolder(SERVICE, user, async (folder) => {
    const files = join(folder, "files");
    mkdirSync(files);
    if (user !== undefined) chownSync(files, user.uid, user.gid);
    const port = await freePort();
    const url = `http://${HOST}:${port}`;
    writeFileSync(join(folder, "nginx.conf"), configuration(port, folder, options.settings));
    const server = await serve({
      service: SERVICE,
      url,
      folder,
      command: program,
      args: ["-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")],
      user,
      ask: () => askNginx({ url }),
      stopSignal: "SIGQUIT",
    });
    return Object.assign(server, { files });
  });
}
