import { existsSync, rmSync, writeFileSync } from "node:fs";
import { findProgram } from "../../test/servers/program.ts";
import { run } from "./service.ts";

const POLICY = "/usr/sbin/policy-rc.d";
/** Daemons that Debian starts as soon as they are installed, and at every boot. Tests start their own. */
const DAEMONS = ["postgresql", "mariadb", "redis-server", "rabbitmq-server", "nats-server", "proftpd", "ssh", "nginx"];

/** Debian packages can be installed: this is such a system and we may. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync("/etc/debian_version") && findProgram("apt-get") !== undefined;
}

async function installed(name: string): Promise<boolean> {
  try {
    return (await run("dpkg-query", ["--show", "--showformat=${db:Status-Status}", name])) === "installed";
  } catch {
    return false;
  }
}

/** While `action` runs, packages may not start their daemons. A policy the machine's owner made stays as it is. */
async function withoutDaemons<T>(action: () => Promise<T>): Promise<T> {
  if (existsSync(POLICY)) return action();
  writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return await action();
  } finally {
    rmSync(POLICY);
  }
}

function daemonsHere(): string[] {
  const places = (name: string) => [`/etc/init.d/${name}`, `/lib/systemd/system/${name}.service`];
  return DAEMONS.filter((name) => places(name).some((path) => existsSync(path)));
}

/** From the next boot on. Either tool works without a running init system, and systemctl knows what the other does. */
async function disableAtBoot(name: string): Promise<void> {
  if (findProgram("systemctl") !== undefined) await run("systemctl", ["disable", name]);
  else if (existsSync(`/etc/init.d/${name}`)) await run("update-rc.d", [name, "disable"]);
}

async function aptInstall(packages: string[]): Promise<void> {
  const args = ["install", "--yes", "--quiet", "--no-install-recommends", ...packages];
  await run("apt-get", args, { env: { DEBIAN_FRONTEND: "noninteractive" } });
}

/** Together they take one run; when that fails, one by one, so that only the culprit is missing at the end. */
async function installTogetherOrAlone(packages: string[]): Promise<Map<string, Error>> {
  const failures = new Map<string, Error>();
  try {
    await aptInstall(packages);
  } catch {
    for (const name of packages) {
      await aptInstall([name]).catch((error: unknown) => failures.set(name, error as Error));
    }
  }
  return failures;
}

/** Installs what is missing of these packages and says which could not be had. */
export async function installPackages(packages: string[]): Promise<Map<string, Error>> {
  const checks = await Promise.all(packages.map(installed));
  const missing = packages.filter((_, index) => !checks[index]);
  if (missing.length === 0) return new Map();
  const before = new Set(daemonsHere());
  const failures = await withoutDaemons(async () => {
    await run("apt-get", ["update", "--quiet"]).catch(() => {}); // An older list may do; the install tells.
    return installTogetherOrAlone(missing);
  });
  for (const name of daemonsHere()) if (!before.has(name)) await disableAtBoot(name);
  return failures;
}
