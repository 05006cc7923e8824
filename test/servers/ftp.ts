import { execFileSync } from "node:child_process";
import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { freePort, HOST, inFolder, type User, unprivileged } from "./place.ts";
import { entries, findProgram, needProgram, ServiceMissing } from "./program.ts";
import { foreignServer, givenUrl, type RestartableServer, type Server, serve } from "./server.ts";
import { Wire } from "./wire.ts";

export interface FtpOptions {
  /** More lines for the configuration file. */
  settings?: string;
}

export interface FtpServer extends RestartableServer {
  /** The folder that is `/` to those who log in; empty for a server that is not ours. */
  readonly files: string;
}

const SERVICE = "ftp";
const PROGRAM = "proftpd";
const MODULES = "/usr/lib/proftpd";
const OWNER = "millrace";
/** The password `millrace`, as the password file wants it. */
const HASH =
  "$6$HmQINUlOMrFBYOnC$WQAi9Oblt0E7uynC5k5jckQxQIZ4LXLT0f25q4PGAt4fFmAJ/ktPz2aHS2Zz8SAg75X.sTuh6FapBi56ufMNm.";

/** Who the server is, and who reads and writes for those who log in. */
function account(user: User | undefined): User {
  if (user !== undefined) return user;
  const { username, uid, gid } = userInfo();
  return { name: username, uid, gid };
}

/** The module shows a folder as `/` without the rights of root that chroot asks for. */
function configuration(port: number, folder: string, { name }: User, settings = ""): string {
  return `ModulePath ${MODULES}
LoadModule mod_vroot.c
VRootEngine on
DefaultRoot ~
ServerName millrace
ServerType standalone
DefaultAddress ${HOST}
SocketBindTight on
Port ${port}
UseReverseDNS off
User ${name}
Group ${execFileSync("id", ["-gn", name], { encoding: "utf8" }).trim()}
PidFile ${folder}/pid
ScoreboardFile ${folder}/scoreboard
DelayEngine off
WtmpLog off
TransferLog none
AuthOrder mod_auth_file.c
AuthUserFile ${folder}/accounts
RequireValidShell off
AllowOverwrite on
AllowStoreRestart on
TimesGMT on
${settings}
`;
}

/** Sends a command; the answer is its last line, and one that refuses is an error. */
async function command(wire: Wire, text?: string): Promise<string> {
  if (text !== undefined) wire.write(`${text}\r\n`);
  let line = await wire.line();
  while (!/^\d{3} /.test(line)) line = await wire.line();
  if (Number(line[0]) >= 4) throw new Error(line);
  return line;
}

/** A passive answer ends with the port's two bytes: `(127,0,0,1,39,17)`. */
function passivePort(answer: string): number {
  const numbers = /\(([\d,]+)\)/.exec(answer)?.[1]?.split(",").map(Number) ?? [];
  return (numbers[4] ?? 0) * 256 + (numbers[5] ?? 0);
}

async function list(wire: Wire, host: string): Promise<string> {
  using data = await Wire.open(host, passivePort(await command(wire, "PASV")));
  await command(wire, "LIST");
  const listing = await data.rest();
  await command(wire);
  return listing;
}

/** Logs in and lists the folder. Answers the greeting. */
export async function askFtp({ url }: Pick<Server, "url">): Promise<string> {
  const { hostname, username, password } = new URL(url);
  using wire = await Wire.to(url);
  const greeting = await command(wire);
  await command(wire, `USER ${username}`);
  await command(wire, `PASS ${decodeURIComponent(password)}`);
  const lines = (await list(wire, hostname)).split("\n").filter((line) => line !== "");
  return `FTP greets "${greeting.slice(4)}" and lists ${lines.length} entries`;
}

export function availableFtp(): boolean {
  return findProgram(PROGRAM) !== undefined && entries(MODULES).includes("mod_vroot.so");
}

export async function startFtp(options: FtpOptions = {}): Promise<FtpServer> {
  const given = givenUrl(SERVICE);
  if (given !== undefined) return { ...foreignServer(SERVICE, given), files: "" };
  if (!availableFtp()) throw new ServiceMissing(SERVICE, `${PROGRAM} with mod_vroot`);
  const program = needProgram(SERVICE, PROGRAM);
  const as = account(unprivileged("nobody"));
  return inFolder(SERVICE, as, async (folder) => {
    const files = join(folder, "files");
    mkdirSync(files);
    chownSync(files, as.uid, as.gid);
    writeFileSync(join(folder, "accounts"), `${OWNER}:${HASH}:${as.uid}:${as.gid}::${files}:/bin/sh\n`, {
      mode: 0o600,
    });
    const port = await freePort();
    const url = `ftp://${OWNER}:millrace@${HOST}:${port}/`;
    writeFileSync(join(folder, "proftpd.conf"), configuration(port, folder, as, options.settings));
    const server = await serve({
      service: SERVICE,
      url,
      folder,
      command: program,
      args: ["--nodaemon", "--config", join(folder, "proftpd.conf")],
      ask: () => askFtp({ url }),
    });
    return Object.assign(server, { files });
  });
}
