import { accessSync, constants, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** The program of a service is not on this machine; `npm run services` installs it. */
export class ServiceMissing extends Error {
  readonly service: string;

  constructor(service: string, looked: string) {
    super(`No ${service} server: ${looked} not found. Remedy: npm run services`);
    this.name = "ServiceMissing";
    this.service = service;
  }
}

/** Where `npm run services` puts what no system package carries. */
export function servicesFolder(): string {
  return process.env["MILLRACE_SERVICES_DIR"] ?? join(homedir(), ".cache", "millrace", "services");
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Looks along PATH, then where systems keep daemons (an ordinary user's PATH often lacks those), then in `folders`. */
export function findProgram(name: string, folders: string[] = []): string | undefined {
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const daemons = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/opt/homebrew/bin", "/usr/local/bin"];
  return [...path, ...daemons, ...folders].map((folder) => join(folder, name)).find(executable);
}

export function needProgram(service: string, name: string, folders: string[] = []): string {
  const found = findProgram(name, folders);
  if (found === undefined) throw new ServiceMissing(service, name);
  return found;
}

/** The entries of a folder that may not be there. */
export function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
