import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { firstTime } from "./first-time.ts";
import { askKafkaBrokers, createKafkaTopic } from "./kafka-wire.ts";
import { freePort, HOST, inFolder } from "./place.ts";
import { entries, findProgram, needProgram, ServiceMissing, servicesFolder } from "./program.ts";
import { foreignServer, givenUrl, type RestartableServer, type Server, serve } from "./server.ts";
import { runTool } from "./tool.ts";

export interface KafkaOptions {
  /** One, or three for tests of replication. Default: 1. */
  brokers?: number;
  /** More settings for each broker, such as `{ "message.max.bytes": 1000 }`. */
  settings?: Record<string, string | number>;
  /** A folder to use, with what it holds, and to leave there: the same addresses and the same data as the last time. */
  kept?: string;
}

/** The cluster as a whole; `url` is `kafka://host:port,host:port`. */
export interface KafkaServer extends RestartableServer {
  /** Each broker, to be killed or halted alone; empty for a server that is not ours. */
  readonly brokers: RestartableServer[];
}

interface Node {
  id: number;
  folder: string;
  port: number;
  controllerPort: number;
  kept: boolean;
}

const SERVICE = "kafka";
const JVM = ["-Xmx512m", "-XX:-UsePerfData", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

function jarFolder(): string {
  return join(servicesFolder(), "kafka", "lib");
}

/** The places a URL names. */
function addresses(url: string): { host: string; port: number }[] {
  const list = url.replace(/^kafka:\/\//, "").split("/")[0] ?? "";
  return list.split(",").map((address) => {
    const [host = HOST, port = "9092"] = address.split(":");
    return { host, port: Number(port) };
  });
}

/** Creates a topic, which takes a broker and a controller that agree. */
export async function askKafka({ url }: Pick<Server, "url">): Promise<string> {
  const [first] = addresses(url);
  if (first === undefined) throw new Error(`No broker in ${url}`);
  const brokers = await askKafkaBrokers(first);
  const topic = `millrace-asked-${randomBytes(4).toString("hex")}`;
  await createKafkaTopic(first, topic);
  return `Kafka creates a topic on ${brokers} broker${brokers === 1 ? "" : "s"}`;
}

export function availableKafka(): boolean {
  return findProgram("java") !== undefined && entries(jarFolder()).some((name) => name.startsWith("kafka_"));
}

/** A cluster of few brokers has to be told that its internal topics have no more copies than that. */
function configuration(node: Node, nodes: Node[], options: KafkaOptions): string {
  const copies = nodes.length;
  const settings: Record<string, string | number> = {
    "process.roles": "broker,controller",
    "node.id": node.id,
    "controller.quorum.voters": nodes.map(({ id, controllerPort }) => `${id}@${HOST}:${controllerPort}`).join(","),
    listeners: `PLAINTEXT://${HOST}:${node.port},CONTROLLER://${HOST}:${node.controllerPort}`,
    "advertised.listeners": `PLAINTEXT://${HOST}:${node.port}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "log.dirs": join(node.folder, "data"),
    "offsets.topic.replication.factor": copies,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": copies,
    "transaction.state.log.num.partitions": 4,
    "transaction.state.log.min.isr": Math.min(2, copies),
    "share.coordinator.state.topic.replication.factor": copies,
    "share.coordinator.state.topic.min.isr": Math.min(2, copies),
    "default.replication.factor": copies,
    "group.initial.rebalance.delay.ms": 0,
    // A broker that was killed is taken back when its old session has ended.
    "broker.session.timeout.ms": 3_000,
    "broker.heartbeat.interval.ms": 500,
    ...options.settings,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

/** Warnings to the server's own log; Kafka would else look for a folder of an installation. */
const LOGGING = `<Configuration status="error">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c: %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
`;

function javaArgs(node: Node, main: string, ...args: string[]): string[] {
  const logging = `-Dlog4j2.configurationFile=${join(node.folder, "log4j2.xml")}`;
  const temporary = `-Djava.io.tmpdir=${node.folder}`;
  return [...JVM, temporary, logging, "-cp", join(jarFolder(), "*"), main, ...args];
}

/** An id as Kafka writes it. One in 64 would begin with a dash, and be taken for an option. */
export function clusterId(): string {
  return `M${randomBytes(16).toString("base64url").slice(1)}`;
}

async function prepare(java: string, node: Node, nodes: Node[], cluster: string, options: KafkaOptions): Promise<void> {
  const file = join(node.folder, "server.properties");
  writeFileSync(file, configuration(node, nodes, options));
  writeFileSync(join(node.folder, "log4j2.xml"), LOGGING);
  if (existsSync(join(node.folder, "data", "meta.properties"))) return;
  const format = ["format", "--cluster-id", cluster, "--config", file];
  await runTool({ command: java, args: javaArgs(node, "kafka.tools.StorageTool", ...format), folder: node.folder });
}

function startNode(java: string, node: Node, size: number): Promise<RestartableServer> {
  return serve({
    service: SERVICE,
    url: `kafka://${HOST}:${node.port}`,
    folder: node.folder,
    kept: node.kept,
    command: java,
    args: javaArgs(node, "kafka.Kafka", join(node.folder, "server.properties")),
    ask: async () => {
      const brokers = await askKafkaBrokers({ host: HOST, port: node.port });
      if (brokers < size) throw new Error(`${brokers} of ${size} brokers are there`);
    },
    startMs: 90_000,
  });
}

/** One folder per broker, for as long as `fill` does not throw. */
async function inFolders<T>(
  count: number,
  kept: string | undefined,
  fill: (folders: string[]) => Promise<T>,
): Promise<T> {
  const next = (folders: string[]): Promise<T> => {
    const own = kept === undefined ? undefined : join(kept, String(folders.length + 1));
    return folders.length === count
      ? fill(folders)
      : inFolder(SERVICE, undefined, (folder) => next([...folders, folder]), own);
  };
  return next([]);
}

/** All of them, or none: what did start is stopped when another did not. */
async function allOrNone(starting: Promise<RestartableServer>[]): Promise<RestartableServer[]> {
  const results = await Promise.allSettled(starting);
  const failure = results.find((result) => result.status === "rejected");
  const started = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (failure === undefined) return started;
  await Promise.all(started.map((broker) => broker.stop()));
  throw failure.reason;
}

function clusterOf(brokers: RestartableServer[]): KafkaServer {
  const each = async (action: (broker: RestartableServer) => Promise<void>): Promise<void> => {
    await Promise.all(brokers.map(action));
  };
  return {
    url: `kafka://${brokers.map(({ url }) => new URL(url).host).join(",")}`,
    brokers,
    get pid() {
      return brokers[0]?.pid;
    },
    start: () => each((broker) => broker.start()),
    halt: () => each((broker) => broker.halt()),
    kill9: () => each((broker) => broker.kill9()),
    restart: () => each((broker) => broker.restart()),
    stop: () => each((broker) => broker.stop()),
  };
}

/** A private Kafka whose brokers are controllers too (KRaft). */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const given = givenUrl(SERVICE);
  if (given !== undefined) return { ...foreignServer(SERVICE, given), brokers: [] };
  if (!availableKafka()) throw new ServiceMissing(SERVICE, jarFolder());
  const java = needProgram(SERVICE, "java");
  const kept = options.kept !== undefined;
  return inFolders(options.brokers ?? 1, options.kept, async (folders) => {
    let cluster = clusterId();
    const nodes: Node[] = [];
    for (const [index, folder] of folders.entries()) {
      const make = async () => ({ cluster, port: await freePort(), controllerPort: await freePort() });
      const facts = await firstTime(folder, make);
      cluster = facts.cluster;
      nodes.push({ id: index + 1, folder, port: facts.port, controllerPort: facts.controllerPort, kept });
    }
    await Promise.all(nodes.map((node) => prepare(java, node, nodes, cluster, options)));
    return clusterOf(await allOrNone(nodes.map((node) => startNode(java, node, nodes.length))));
  });
}
