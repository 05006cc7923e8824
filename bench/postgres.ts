import { Client } from "pg";
import { startPostgres } from "../test/servers/postgres.ts";

/** A private server with durable settings, and a session to look at it with. */
export interface BenchServer {
  readonly url: string;
  readonly version: string;
  run(sql: string): Promise<void>;
  count(sql: string): Promise<number>;
  stop(): Promise<void>;
}

/** The same for all contestants: no checkpoint falls into a run, and the table fits into the server's memory. */
const settings = {
  shared_buffers: "1GB",
  max_wal_size: "8GB",
  checkpoint_timeout: "1h",
  wal_buffers: "16MB",
  autovacuum: "off",
};

export async function startServer(more: Readonly<Record<string, string>> = {}): Promise<BenchServer> {
  const server = await startPostgres({ durable: true, settings: { ...settings, ...more } });
  const client = new Client({ connectionString: server.url });
  try {
    await client.connect();
    const { rows } = await client.query<{ server_version: string }>("show server_version");
    return {
      url: server.url,
      version: rows[0]?.server_version ?? "",
      run: async (sql) => {
        await client.query(sql);
      },
      count: async (sql) => Number((await client.query<{ n: string }>(`select (${sql}) as n`)).rows[0]?.n),
      stop: async () => {
        await client.end();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Leaves nothing of the run before: neither rows, nor dirty pages that a later run would have to write. */
export async function resetServer(server: BenchServer): Promise<void> {
  await server.run("drop schema public cascade; create schema public");
  await server.run("checkpoint");
}
