import { MillraceError } from "../core/error.ts";
import type { SinkOptions } from "../core/pipeline.ts";
import { type Place, parsePlace } from "../core/place.ts";
import type { AdapterContext, SinkFactory } from "../ports/adapter.ts";
import type { Archive, ArchiveFactory } from "../ports/archive.ts";
import type { Drop, DropFactory } from "../ports/drop.ts";
import type { Log, LogFactory } from "../ports/log.ts";
import type { Queue, QueueFactory } from "../ports/queue.ts";
import type { SchemaRegistry, SchemaRegistryFactory } from "../ports/schemas.ts";
import type { Sink } from "../ports/sink.ts";
import type { Notifier, NotifierFactory } from "../ports/notifier.ts";
import type { Remote, RemoteFactory } from "../ports/remote.ts";
import type { Replicas, ReplicasFactory } from "../ports/replicas.ts";
import type { Store, StoreFactory } from "../ports/store.ts";
import { dropOf } from "./remote-drop.ts";

/**
 * The scheme table: the one place outside an adapter's folder that names it. Adapters are loaded when their scheme is
 * first used, so that a file into DuckDB does not pay for the PostgreSQL client.
 */
const sinks: Readonly<Record<string, () => Promise<SinkFactory>>> = {
  duckdb: async () => (await import("../adapters/duckdb/index.ts")).duckdbSink,
  postgres: async () => (await import("../adapters/postgres/index.ts")).postgresSink,
  postgresql: async () => (await import("../adapters/postgres/index.ts")).postgresSink,
  mysql: async () => (await import("../adapters/mysql/index.ts")).mysqlSink,
  mariadb: async () => (await import("../adapters/mysql/index.ts")).mysqlSink,
  file: async () => (await import("../adapters/file/index.ts")).fileSink,
};

const archives: Readonly<Record<string, () => Promise<ArchiveFactory>>> = {
  file: async () => (await import("../adapters/file/index.ts")).fileArchive,
  s3: async () => (await import("../adapters/s3/index.ts")).s3Archive,
};

const stores: Readonly<Record<string, () => Promise<StoreFactory>>> = {
  file: async () => (await import("../adapters/file/index.ts")).fileStore,
  postgres: async () => (await import("../adapters/postgres/index.ts")).postgresStore,
  postgresql: async () => (await import("../adapters/postgres/index.ts")).postgresStore,
  redis: async () => (await import("../adapters/redis/index.ts")).redisStore,
  rediss: async () => (await import("../adapters/redis/index.ts")).redisStore,
};

const replicas: Readonly<Record<string, () => Promise<ReplicasFactory>>> = {
  file: async () => (await import("../adapters/file/index.ts")).fileReplicas,
  redis: async () => (await import("../adapters/redis/index.ts")).redisReplicas,
  rediss: async () => (await import("../adapters/redis/index.ts")).redisReplicas,
};

const drops: Readonly<Record<string, () => Promise<DropFactory>>> = {
  file: async () => (await import("../adapters/file/index.ts")).localDrop,
  ftp: async () => dropOf((await import("../adapters/ftp/index.ts")).ftpRemote),
  ftps: async () => dropOf((await import("../adapters/ftp/index.ts")).ftpRemote),
  sftp: async () => dropOf((await import("../adapters/ftp/index.ts")).sftpRemote),
  s3: async () => dropOf((await import("../adapters/s3/index.ts")).s3Remote),
};

/** Places on servers whose files are read. */
const remotes: Readonly<Record<string, () => Promise<RemoteFactory>>> = {
  ftp: async () => (await import("../adapters/ftp/index.ts")).ftpRemote,
  ftps: async () => (await import("../adapters/ftp/index.ts")).ftpRemote,
  sftp: async () => (await import("../adapters/ftp/index.ts")).sftpRemote,
  s3: async () => (await import("../adapters/s3/index.ts")).s3Remote,
};

const notifiers: Readonly<Record<string, () => Promise<NotifierFactory>>> = {
  file: async () => (await import("../adapters/smtp/index.ts")).emlNotifier,
  smtp: async () => (await import("../adapters/smtp/index.ts")).smtpNotifier,
  smtps: async () => (await import("../adapters/smtp/index.ts")).smtpNotifier,
  http: async () => (await import("../adapters/http/index.ts")).webhookNotifier,
  https: async () => (await import("../adapters/http/index.ts")).webhookNotifier,
};

const logs: Readonly<Record<string, () => Promise<LogFactory>>> = {
  log: async () => (await import("../adapters/log/index.ts")).embeddedLog,
  kafka: async () => (await import("../adapters/kafka/index.ts")).kafkaLog,
  nats: async () => (await import("../adapters/nats/index.ts")).natsLog,
  redis: async () => (await import("../adapters/redis/index.ts")).redisLog,
  rediss: async () => (await import("../adapters/redis/index.ts")).redisLog,
};

const queues: Readonly<Record<string, () => Promise<QueueFactory>>> = {
  amqp: async () => (await import("../adapters/rabbitmq/index.ts")).rabbitmqQueue,
  amqps: async () => (await import("../adapters/rabbitmq/index.ts")).rabbitmqQueue,
};

const registries: Readonly<Record<string, () => Promise<SchemaRegistryFactory>>> = {
  http: async () => (await import("../adapters/registry/index.ts")).schemaRegistry,
  https: async () => (await import("../adapters/registry/index.ts")).schemaRegistry,
};

/** Whether the place is a log. */
export function isLog({ scheme }: Place): boolean {
  return Object.hasOwn(logs, scheme);
}

/** Whether the place is a queue. */
export function isQueue({ scheme }: Place): boolean {
  return Object.hasOwn(queues, scheme);
}

/** Whether the place holds records, as logs and queues do, and not files or tables. */
export function holdsRecords(place: Place): boolean {
  return isLog(place) || isQueue(place);
}

/** The log at `url`, not yet connected. */
export async function openLog(url: string, context: AdapterContext): Promise<Log> {
  const place = parsePlace(url);
  const factory = await factoryOf(logs, place, "There is no log at", "Logs");
  return factory(place, context);
}

/** The queue at `url`, not yet connected. */
export async function openQueue(url: string, context: AdapterContext): Promise<Queue> {
  const place = parsePlace(url);
  const factory = await factoryOf(queues, place, "There is no queue at", "Queues");
  return factory(place, context);
}

/** The sink at `url`, not yet connected. */
export async function openSink(url: string, options: SinkOptions, context: AdapterContext): Promise<Sink> {
  const place = parsePlace(url);
  const factory = await factoryOf(sinks, place, "Rows cannot go to", "Sinks");
  return factory(place, options, context);
}

/** The archive at `url`, not yet connected. */
export async function openArchive(url: string, context: AdapterContext): Promise<Archive> {
  const place = parsePlace(url);
  const factory = await factoryOf(archives, place, "Backups cannot be kept in", "Archives");
  return factory(place, context);
}

/** The store at `url`, not yet connected. */
export async function openStore(url: string, context: AdapterContext): Promise<Store> {
  const place = parsePlace(url);
  const factory = await factoryOf(stores, place, "Keyed data cannot be kept in", "Stores");
  return factory(place, context);
}

/** The drop at `url`, not yet connected. */
export async function openDrop(url: string, context: AdapterContext): Promise<Drop> {
  const place = parsePlace(url);
  const factory = await factoryOf(drops, place, "Files cannot be dropped into", "Drops");
  return factory(place, context);
}

/** Whether files are read at the place through a server. */
export function isRemote({ scheme }: Place): boolean {
  return Object.hasOwn(remotes, scheme);
}

/** The files of a server at `place`, not yet connected. */
export async function openRemote(place: Place, context: Pick<AdapterContext, "notice">): Promise<Remote> {
  const factory = await factoryOf(remotes, place, "Files cannot be read at", "Servers of files");
  return factory(place, context);
}

/** The notifier at `url`, not yet connected. */
export async function openNotifier(url: string, context: AdapterContext): Promise<Notifier> {
  const place = parsePlace(url);
  const factory = await factoryOf(notifiers, place, "Messages cannot go to", "Notifiers");
  return factory(place, context);
}

/** The schema registry at `url`, not yet connected. */
export async function openRegistry(url: string, context: AdapterContext): Promise<SchemaRegistry> {
  const factory = await factoryOf(registries, parsePlace(url), "There is no schema registry at", "Schema registries");
  return factory(url, context);
}

/** The replicas at `url`, not yet connected. */
export async function openReplicas(url: string, context: AdapterContext): Promise<Replicas> {
  const place = parsePlace(url);
  const factory = await factoryOf(replicas, place, "Replicas cannot be kept in", "Places of replicas");
  return factory(place, context);
}

function factoryOf<Factory>(
  table: Readonly<Record<string, () => Promise<Factory>>>,
  { scheme, shown }: Place,
  cannot: string,
  kinds: string,
): Promise<Factory> {
  const load = table[scheme];
  if (load !== undefined) return load();
  throw new MillraceError("SCHEME_UNKNOWN", `${cannot} ${scheme}: (${shown})`, {
    remedy: `${kinds} are ${Object.keys(table)
      .map((name) => `${name}:`)
      .join(", ")}.`,
  });
}
