import { availableFtp } from "../../test/servers/ftp.ts";
import { findProgram } from "../../test/servers/program.ts";
import { availableSmtp } from "../../test/servers/smtp.ts";
import { versionFolders } from "../../test/servers/postgres.ts";
import { rabbitmqFolder } from "../../test/servers/rabbitmq.ts";
import { mongo, s3 } from "./golang.ts";
import { kafka } from "./kafka.ts";
import { registry } from "./registry.ts";
import { type Found, findVersion, type Service } from "./service.ts";

function packaged(name: string, packages: string[], find: () => Promise<Found | undefined>): Service {
  return { name, packages, find, byHand: `install ${packages.join(", ")} with your system's package manager` };
}

/** Its own program to tell the version would start an Erlang machine for it; the folder's name has it too. */
async function findRabbitmq(): Promise<Found | undefined> {
  const where = rabbitmqFolder();
  return where === undefined ? undefined : { where, version: /([\d.]+)$/.exec(where)?.[0] ?? "unknown" };
}

/** The daemon of older versions does not tell its version; the client of the same package family does. */
async function findSsh(): Promise<Found | undefined> {
  const where = findProgram("sshd");
  const client = await findVersion("ssh", "-V");
  return where === undefined || client === undefined ? undefined : { where, version: client.version };
}

/** Without its module the server is of no use to us. */
async function findFtp(): Promise<Found | undefined> {
  return availableFtp() ? findVersion("proftpd", "--version") : undefined;
}

/** A module of Debian's Python, which tells no version of its own accord. */
async function findSmtp(): Promise<Found | undefined> {
  const python = await findVersion("python3", "--version");
  return availableSmtp() && python !== undefined ? { ...python, where: "python3-aiosmtpd" } : undefined;
}

export const services: Service[] = [
  packaged("postgres", ["postgresql"], () => findVersion("postgres", "--version", versionFolders())),
  packaged("mariadb", ["mariadb-server"], () => findVersion("mariadbd", "--version")),
  packaged("redis", ["redis-server"], () => findVersion("redis-server", "--version")),
  packaged("rabbitmq", ["rabbitmq-server"], findRabbitmq),
  packaged("nats", ["nats-server"], () => findVersion("nats-server", "--version")),
  kafka,
  registry,
  packaged("ftp", ["proftpd-core", "proftpd-mod-vroot"], findFtp),
  packaged("ssh", ["openssh-server", "openssh-client"], findSsh),
  packaged("smtp", ["python3-aiosmtpd", "openssl"], findSmtp),
  mongo,
  s3,
  packaged("nginx", ["nginx-light"], () => findVersion("nginx", "-v")),
  packaged("chromium", ["chromium"], () => findVersion("chromium", "--version")),
];
