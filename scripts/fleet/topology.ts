import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { firstTime } from "../../test/servers/first-time.ts";
import { startKafka } from "../../test/servers/kafka.ts";
import { startNginx } from "../../test/servers/nginx.ts";
import { freePort, HOST } from "../../test/servers/place.ts";
import { startPostgres } from "../../test/servers/postgres.ts";
import { type RestartableServer, serve } from "../../test/servers/server.ts";

/** What `deploy/fleet/compose.yaml` starts, as plain processes: the same programs, roles, settings and proxy. */

/** One program of it. */
export interface Part {
  readonly name: string;
  readonly folder: string;
  readonly server: RestartableServer;
}

export interface Infra {
  readonly parts: readonly Part[];
  /** `fleet.stream` and `fleet.to`. */
  readonly stream: string;
  readonly table: string;
}

export interface Fleet {
  readonly parts: readonly Part[];
  /** Of the proxy before the producers. */
  readonly url: string;
}

/** The processes of Millrace, by name. */
export const programs = {
  "producer-1": { role: "serve" },
  "producer-2": { role: "serve" },
  "consumer-1": { role: "work" },
  "consumer-2": { role: "work" },
} as const;

/** How they are told what to do; the settings come from the environment. */
export const commandOf = (role: string): string[] => ["start", "--json", "--apps", "fleet", "--role", role];

export function settingsOf({ stream, table }: Pick<Infra, "stream" | "table">): Record<string, string> {
  return { MILLRACE_FLEET_STREAM: stream, MILLRACE_FLEET_TO: table, MILLRACE_HTTP_TRUST_PROXY: "true" };
}

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const proxy = new URL("../../deploy/fleet/nginx.conf", import.meta.url);
const topic = "test_topic?partitions=8";

/** Kafka of one or three brokers, and PostgreSQL, with what the folder holds of them. */
export async function startInfra(folder: string, brokers: number): Promise<Infra> {
  mkdirSync(folder, { recursive: true });
  const made = await firstTime(folder, async () => ({ brokers }));
  if (made.brokers !== brokers) {
    throw new Error(`${folder} holds a Kafka of ${made.brokers} brokers. Remedy: down -v removes it, with what it has`);
  }
  const [kafkaFolder, postgresFolder] = [join(folder, "kafka"), join(folder, "postgres")];
  const kafka = await startKafka({ brokers, kept: kafkaFolder });
  try {
    const postgres = await startPostgres({ durable: true, kept: postgresFolder });
    const parts = kafka.brokers.map((server, index) => {
      return { name: `kafka-${index + 1}`, folder: join(kafkaFolder, String(index + 1)), server };
    });
    return {
      parts: [...parts, { name: "postgres", folder: postgresFolder, server: postgres }],
      stream: `${kafka.url}/${topic}`,
      table: postgres.url,
    };
  } catch (error) {
    await kafka.stop();
    throw error;
  }
}

/** Two producers behind nginx, and two consumers. */
export async function startFleet(folder: string, places: Pick<Infra, "stream" | "table">): Promise<Fleet> {
  const settings = settingsOf(places);
  const starting = await Promise.allSettled(
    Object.entries(programs).map(([name, { role }]) => startProgram(name, role, join(folder, name), settings)),
  );
  const parts = starting.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  try {
    const failure = starting.find((one) => one.status === "rejected");
    if (failure !== undefined) throw failure.reason;
    const producers = parts.filter(({ name }) => name.startsWith("producer"));
    const kept = join(folder, "nginx");
    const nginx = await startNginx({ configuration: proxyTo(producers), kept });
    return { parts: [...parts, { name: "nginx", folder: kept, server: nginx }], url: nginx.url };
  } catch (error) {
    await Promise.all(parts.map(({ server }) => server.stop()));
    throw error;
  }
}

/** The proxy's configuration as it is deployed, with the producers' addresses here. */
function proxyTo(producers: readonly Part[]): string {
  return producers.reduce(
    (text, { name, server }) => text.replace(`${name}:8080`, new URL(server.url).host),
    readFileSync(proxy, "utf8"),
  );
}

async function startProgram(
  name: string,
  role: string,
  folder: string,
  settings: Record<string, string>,
): Promise<Part> {
  mkdirSync(folder, { recursive: true });
  const { port } = await firstTime(folder, async () => ({ port: await freePort() }));
  const url = `http://${HOST}:${port}`;
  const server = await serve({
    service: name,
    url,
    folder,
    kept: true,
    command: process.execPath,
    args: [main, ...commandOf(role), "--port", String(port), "--data", "data"],
    env: settings,
    ask: async () => {
      const { ok, status } = await fetch(`${url}/healthz`);
      if (!ok) throw new Error(`${name} answers with ${status}`);
    },
    startMs: 60_000,
  });
  return { name, folder, server };
}

/** In good order: who needs others goes first. */
export async function halt(parts: readonly Part[]): Promise<void> {
  const isStore = ({ name }: Part): boolean => /^(kafka|postgres)/.test(name);
  await Promise.all(parts.filter((part) => !isStore(part)).map(({ server }) => server.halt()));
  await Promise.all(parts.filter(isStore).map(({ server }) => server.halt()));
}
