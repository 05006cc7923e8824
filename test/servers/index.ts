import { findChromium } from "./chromium.ts";
import { askFtp, availableFtp, startFtp } from "./ftp.ts";
import { askKafka, availableKafka, startKafka } from "./kafka.ts";
import { askMariadb, availableMariadb, startMariadb } from "./mariadb.ts";
import { askMongo, availableMongo, startMongo } from "./mongo.ts";
import { askNats, availableNats, startNats } from "./nats.ts";
import { askNginx, availableNginx, startNginx } from "./nginx.ts";
import { askPostgres, availablePostgres, startPostgres } from "./postgres.ts";
import { askRabbitmq, availableRabbitmq, startRabbitmq } from "./rabbitmq.ts";
import { askRedis, availableRedis, startRedis } from "./redis.ts";
import { askS3, availableS3, startS3 } from "./s3.ts";
import { askRegistry, availableRegistry, startRegistry } from "./registry.ts";
import { givenUrl, type Server } from "./server.ts";
import { askSmtp, availableSmtp, startSmtp } from "./smtp.ts";
import { askSsh, availableSsh, startSsh } from "./ssh.ts";

export { ServiceMissing } from "./program.ts";
export type { RestartableServer, Server } from "./server.ts";

export interface Kind<S extends Server, O> {
  /** Starts a private server, or uses the one an environment variable names. */
  start: (options?: O) => Promise<S>;
  /** Asks it something real in its own protocol and answers with what it said. */
  ask: (server: S) => Promise<string>;
  /** Whether its program is here. */
  available: () => boolean;
  /** All of it: start, ask, stop. */
  tryOut: () => Promise<string>;
}

function kind<S extends Server, O>(
  start: (options?: O) => Promise<S>,
  ask: (server: S) => Promise<string>,
  isHere: () => boolean,
): Kind<S, O> {
  const tryOut = async (): Promise<string> => {
    const server = await start();
    try {
      return await ask(server);
    } finally {
      await server.stop();
    }
  };
  return { start, ask, available: isHere, tryOut };
}

export const servers = {
  postgres: kind(startPostgres, askPostgres, availablePostgres),
  mariadb: kind(startMariadb, askMariadb, availableMariadb),
  redis: kind(startRedis, askRedis, availableRedis),
  rabbitmq: kind(startRabbitmq, askRabbitmq, availableRabbitmq),
  nats: kind(startNats, askNats, availableNats),
  kafka: kind(startKafka, askKafka, availableKafka),
  registry: kind(startRegistry, askRegistry, availableRegistry),
  ftp: kind(startFtp, askFtp, availableFtp),
  ssh: kind(startSsh, askSsh, availableSsh),
  smtp: kind(startSmtp, askSmtp, availableSmtp),
  mongo: kind(startMongo, askMongo, availableMongo),
  s3: kind(startS3, askS3, availableS3),
  nginx: kind(startNginx, askNginx, availableNginx),
};

export type ServerName = keyof typeof servers;
export type ServiceName = ServerName | "chromium";

export const serverNames = Object.keys(servers) as ServerName[];

/** Whether tests that need this service can run. Nothing is started to find out. */
export function available(name: ServiceName): boolean {
  if (name === "chromium") return findChromium() !== undefined;
  return givenUrl(name) !== undefined || servers[name].available();
}
