import { execFile, execFileSync } from "node:child_process";
import { chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, HOST, inFolder, unprivileged } from "./place.ts";
import { findProgram, needProgram } from "./program.ts";
import { foreignServer, givenUrl, type RestartableServer, serve } from "./server.ts";
import { Wire } from "./wire.ts";

export interface SshOptions {
  /** More lines for the configuration file. */
  settings?: string;
}

/** Speaks SFTP alone. The URL's path is the folder for files: this server shows the machine's real paths. */
export interface SshServer extends RestartableServer {
  /** The key that logs in, as OpenSSH writes it; the password is in the URL of a server that is not ours. */
  readonly privateKey: string | undefined;
  /** The server's own public key, as a line of known_hosts has it: type and base64. */
  readonly hostKey: string | undefined;
  /** Empty for a server that is not ours. */
  readonly files: string;
}

const SERVICE = "ssh";

function makeKey(folder: string, name: string): string {
  const file = join(folder, name);
  const program = needProgram(SERVICE, "ssh-keygen");
  execFileSync(program, ["-q", "-t", "ed25519", "-N", "", "-C", "millrace", "-f", file], { stdio: "pipe" });
  return file;
}

/** A server that is not root can check keys only: passwords are in the system's secret file. */
function configuration(port: number, folder: string, settings = ""): string {
  return `Port ${port}
ListenAddress ${HOST}
HostKey ${folder}/host_key
AuthorizedKeysFile ${folder}/user_key.pub
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
ForceCommand internal-sftp
${settings}
`;
}

async function askBanner(url: string): Promise<string> {
  using wire = await Wire.to(url);
  const banner = await wire.line();
  if (!banner.startsWith("SSH-2.0-")) throw new Error(`Unexpected banner ${banner}`);
  return banner.slice("SSH-2.0-".length);
}

/** Logs in with the key and lists the folder. Answers the version. */
export async function askSsh(server: Pick<SshServer, "url" | "privateKey">): Promise<string> {
  const version = await askBanner(server.url);
  if (server.privateKey === undefined) return version;
  const { hostname, port, username, pathname } = new URL(server.url);
  return inFolder("sftp", undefined, async (folder) => {
    writeFileSync(join(folder, "key"), server.privateKey ?? "", { mode: 0o600 });
    writeFileSync(join(folder, "batch"), `ls -l ${pathname}\n`);
    const options = ["StrictHostKeyChecking=no", `UserKnownHostsFile=${folder}/hosts`, "IdentitiesOnly=yes"];
    const flags = ["-q", "-F", "none", "-P", port, "-i", join(folder, "key"), "-b", join(folder, "batch")];
    const target = [...options.flatMap((option) => ["-o", option]), `${username}@${hostname}`];
    await promisify(execFile)(needProgram(SERVICE, "sftp"), [...flags, ...target]);
    return `${version} lists over SFTP`;
  });
}

export function availableSsh(): boolean {
  return findProgram("sshd") !== undefined && findProgram("ssh-keygen") !== undefined;
}

export async function startSsh(options: SshOptions = {}): Promise<SshServer> {
  const given = givenUrl(SERVICE);
  if (given !== undefined) {
    return { ...foreignServer(SERVICE, given), privateKey: undefined, hostKey: undefined, files: "" };
  }
  const program = needProgram(SERVICE, "sshd");
  const user = unprivileged("sshd", "daemon"); // Some systems say that the account nobody is locked.
  return inFolder(SERVICE, user, async (folder) => {
    const files = join(folder, "files");
    mkdirSync(files);
    const hostKeyFile = makeKey(folder, "host_key");
    const privateKey = readFileSync(makeKey(folder, "user_key"), "utf8");
    if (user !== undefined) for (const path of [files, hostKeyFile]) chownSync(path, user.uid, user.gid);
    const port = await freePort();
    const url = `sftp://${user?.name ?? userInfo().username}@${HOST}:${port}${files}`;
    writeFileSync(join(folder, "sshd_config"), configuration(port, folder, options.settings));
    const server = await serve({
      service: SERVICE,
      url,
      folder,
      command: program,
      args: ["-D", "-e", "-f", join(folder, "sshd_config")],
      user,
      ask: () => askBanner(url),
    });
    const hostKey = readFileSync(`${hostKeyFile}.pub`, "utf8").split(" ").slice(0, 2).join(" ");
    return Object.assign(server, { privateKey, hostKey, files });
  });
}
