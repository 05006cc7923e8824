import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { askKafkaBrokers } from "./kafka-wire.ts";
import { availableKafka, clusterId, type KafkaServer, startKafka } from "./kafka.ts";
import { freePort, HOST, inFolder } from "./place.ts";
import { needProgram, ServiceMissing, servicesFolder } from "./program.ts";
import { type RestartableServer, serve } from "./server.ts";
import { runTool } from "./tool.ts";

const SERVICE = "kafka";

/** Three brokers that hold copies of each other; each can be killed and started again alone. */
export async function startKafkaCluster(settings: Record<string, string | number> = {}): Promise<KafkaServer> {
  const server = await startKafka({ brokers: 3, settings });
  if (server.brokers.length === 3) return server;
  throw new ServiceMissing(SERVICE, "a cluster of our own");
}

/** Who may log in; `super` may do everything, all others nothing that no ACL allows. */
export interface KafkaUser {
  name: string;
  password: string;
  super: boolean;
}

/** A broker whose first listener knows everyone, and the others only users: `login` by SASL, `encrypted` by TLS too. */
export interface GuardedKafka extends RestartableServer {
  /** `host:port` of the listener for SASL without TLS. */
  readonly login: string;
  /** `host:port` of the listener for SASL with TLS. */
  readonly encrypted: string;
  /** The file of the certificate of `encrypted`, which signs itself. */
  readonly certificate: string;
}

const JVM = ["-Xmx384m", "-XX:-UsePerfData", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

interface Ports {
  plain: number;
  controller: number;
  login: number;
  encrypted: number;
}

function guardedSettings(folder: string, ports: Ports, users: readonly KafkaUser[]): Record<string, string | number> {
  const listeners = [
    `PLAINTEXT://${HOST}:${ports.plain}`,
    `LOGIN://${HOST}:${ports.login}`,
    `ENCRYPTED://${HOST}:${ports.encrypted}`,
  ];
  const known = users.map(({ name, password }) => `user_${name}="${password}"`).join(" ");
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required ${known};`;
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  const supers = users.filter((user) => user.super).map(({ name }) => `User:${name}`);
  const pem = (name: string): string => readFileSync(join(folder, name), "utf8").trim().replaceAll("\n", " \\\n ");
  return {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@${HOST}:${ports.controller}`,
    listeners: [...listeners, `CONTROLLER://${HOST}:${ports.controller}`].join(","),
    "advertised.listeners": listeners.join(","),
    "listener.security.protocol.map":
      "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT,ENCRYPTED:SASL_SSL",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    ...Object.fromEntries(
      ["login", "encrypted"].flatMap((listener) => [
        [`listener.name.${listener}.plain.sasl.jaas.config`, plain],
        [`listener.name.${listener}.scram-sha-256.sasl.jaas.config`, scram],
        [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`, scram],
      ]),
    ),
    "listener.name.encrypted.ssl.keystore.type": "PEM",
    "listener.name.encrypted.ssl.keystore.certificate.chain": pem("certificate.pem"),
    "listener.name.encrypted.ssl.keystore.key": pem("key.pem"),
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": ["User:ANONYMOUS", ...supers].join(";"),
    "log.dirs": join(folder, "data"),
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
  };
}

async function makeCertificate(folder: string): Promise<void> {
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", `subjectAltName=DNS:localhost,IP:${HOST}`];
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate];
  await runTool({ command: needProgram(SERVICE, "openssl"), args: [...args, ...subject], folder });
}

/** A broker with users, for logins that fail and rights that are missing. */
export async function startGuardedKafka(users: readonly KafkaUser[]): Promise<GuardedKafka> {
  if (!availableKafka()) throw new ServiceMissing(SERVICE, "Kafka");
  const java = needProgram(SERVICE, "java");
  const ports = {
    plain: await freePort(),
    controller: await freePort(),
    login: await freePort(),
    encrypted: await freePort(),
  };
  return inFolder(SERVICE, undefined, async (folder) => {
    await makeCertificate(folder);
    const file = join(folder, "server.properties");
    const settings = Object.entries(guardedSettings(folder, ports, users));
    writeFileSync(file, settings.map(([name, value]) => `${name}=${value}\n`).join(""));
    const lib = join(servicesFolder(), "kafka", "lib", "*");
    const program = (main: string, ...args: string[]): string[] => [
      ...[...JVM, `-Djava.io.tmpdir=${folder}`, "-cp", lib, main],
      ...args,
    ];
    const scram = users.flatMap(({ name, password }) =>
      ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
        "--add-scram",
        `${mechanism}=[name=${name},password=${password}]`,
      ]),
    );
    const format = ["format", "--cluster-id", clusterId(), "--config", file, ...scram];
    await runTool({ command: java, args: program("kafka.tools.StorageTool", ...format), folder });
    const server = await serve({
      service: SERVICE,
      url: `kafka://${HOST}:${ports.plain}`,
      folder,
      command: java,
      args: program("kafka.Kafka", file),
      ask: () => askKafkaBrokers({ host: HOST, port: ports.plain }),
      startMs: 90_000,
    });
    return Object.assign(server, {
      login: `${HOST}:${ports.login}`,
      encrypted: `${HOST}:${ports.encrypted}`,
      certificate: join(folder, "certificate.pem"),
    });
  });
}
