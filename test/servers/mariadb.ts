import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, HOST, inFolder, type User, unprivileged } from "./place.ts";
import { findProgram, needProgram } from "./program.ts";
import { foreignServer, givenUrl, type RestartableServer, type Server, serve } from "./server.ts";
import { runTool } from "./tool.ts";

export interface MariadbOptions {
  /** Keep what was committed through a power cut, as a real server does; off, tests run faster. Default: off. */
  durable?: boolean;
  /** Settings for the command line, such as `{ "max-allowed-packet": "1M" }`. */
  settings?: Record<string, string | number>;
}

const SERVICE = "mariadb";
const OWNER = "millrace";
const DATABASE = "millrace";

/** Selects through the client program that comes with the server. Answers the version. */
export async function askMariadb({ url }: Pick<Server, "url">): Promise<string> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const client = needProgram(SERVICE, "mariadb");
  const args = ["--no-defaults", "--protocol=tcp", `--host=${hostname}`, `--port=${port}`, `--user=${username}`];
  const question = ["--batch", "--skip-column-names", "--connect-timeout=5", "--execute=select version()"];
  const { stdout } = await promisify(execFile)(client, [...args, ...question, pathname.slice(1)], {
    env: { ...process.env, MYSQL_PWD: decodeURIComponent(password) },
  });
  return `MariaDB ${stdout.trim().split("-")[0]}`;
}

export function availableMariadb(): boolean {
  return findProgram("mariadbd") !== undefined && findProgram("mariadb-install-db") !== undefined;
}

async function makeData(folder: string, user: User | undefined): Promise<void> {
  const data = `--datadir=${join(folder, "data")}`;
  const args = ["--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db"];
  await runTool({ command: needProgram(SERVICE, "mariadb-install-db"), args, folder, user });
}

/** Run at each start, so each statement may meet its own result. Root without a password is locked out. */
function accounts(password: string): string {
  return [
    `create database if not exists ${DATABASE} character set utf8mb4;`,
    `create user if not exists '${OWNER}'@'%' identified by '${password}';`,
    `grant all on *.* to '${OWNER}'@'%' with grant option;`,
    "alter user 'root'@'localhost' account lock;",
    "",
  ].join("\n");
}

function settingsOf(folder: string, port: number, options: MariadbOptions): Record<string, string | number> {
  return {
    datadir: join(folder, "data"),
    "bind-address": HOST,
    port,
    socket: join(folder, "socket"),
    "pid-file": join(folder, "pid"),
    tmpdir: folder,
    "init-file": join(folder, "accounts.sql"),
    "character-set-server": "utf8mb4",
    "innodb-buffer-pool-size": "64M",
    ...(options.durable === true
      ? { "innodb-flush-log-at-trx-commit": 1 }
      : { "innodb-flush-log-at-trx-commit": 0, "innodb-flush-method": "nosync", "innodb-doublewrite": 0 }),
    ...options.settings,
  };
}

/** A private MariaDB with password log-in; its database is `millrace`. */
export async function startMariadb(options: MariadbOptions = {}): Promise<RestartableServer> {
  const given = givenUrl(SERVICE);
  if (given !== undefined) return foreignServer(SERVICE, given);
  const program = needProgram(SERVICE, "mariadbd");
  const user = unprivileged("mysql");
  return inFolder(SERVICE, user, async (folder) => {
    await makeData(folder, user);
    const password = randomBytes(12).toString("hex");
    writeFileSync(join(folder, "accounts.sql"), accounts(password));
    const port = await freePort();
    const url = `mysql://${OWNER}:${password}@${HOST}:${port}/${DATABASE}`;
    const settings = Object.entries(settingsOf(folder, port, options));
    return serve({
      service: SERVICE,
      url,
      folder,
      command: program,
      args: ["--no-defaults", ...settings.map(([name, value]) => `--${name}=${value}`)],
      user,
      ask: () => askMariadb({ url }),
    });
  });
}
