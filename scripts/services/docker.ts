import { fileURLToPath } from "node:url";
import { findProgram } from "../../test/servers/program.ts";
import { urlVariable } from "../../test/servers/server.ts";
import { run } from "./service.ts";

const FILE = fileURLToPath(new URL("../../deploy/services.compose.yaml", import.meta.url));

/** Where the servers of the compose file listen. */
const URLS: Record<string, string> = {
  postgres: "postgres://millrace:millrace@127.0.0.1:25432/postgres",
  mariadb: "mysql://millrace:millrace@127.0.0.1:23306/millrace",
  redis: "redis://127.0.0.1:26379",
  rabbitmq: "amqp://millrace:millrace@127.0.0.1:25672",
  nats: "nats://127.0.0.1:24222",
  kafka: "kafka://127.0.0.1:29092",
  registry: "http://127.0.0.1:28081/apis/ccompat/v7",
  ftp: "ftp://millrace:millrace@127.0.0.1:22121/",
  ssh: "sftp://millrace:millrace@127.0.0.1:22222/files",
  mongo: "mongodb://127.0.0.1:27018/?directConnection=true",
  s3: "http://millrace:millrace-secret@127.0.0.1:27070/millrace",
  nginx: "http://127.0.0.1:28080",
};

export async function dockerAnswers(): Promise<boolean> {
  if (findProgram("docker") === undefined) return false;
  try {
    await run("docker", ["info"]);
    await run("docker", ["compose", "version"]);
    return true;
  } catch {
    return false;
  }
}

export function inDocker(service: string): boolean {
  return URLS[service] !== undefined;
}

/** Starts one server of the compose file and answers with the setting that points the tests at it. */
export async function startInDocker(service: string): Promise<string> {
  await run("docker", ["compose", "--file", FILE, "up", "--detach", "--wait", service]);
  return `${urlVariable(service)}=${URLS[service]}`;
}
