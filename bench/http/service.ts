import { HOST } from "../../test/servers/place.ts";
import { type RestartableServer, serve } from "../../test/servers/server.ts";

/** A program that answers over HTTP, started for the bench. */
export interface Service {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface ServiceProgram {
  readonly name: string;
  readonly folder: string;
  readonly port: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  /** Answers with 200 once the program is ready. */
  readonly readyPath: string;
}

/** Resolves when it answers. It ends with this process, however that ends. */
export async function startService(program: ServiceProgram): Promise<Service> {
  const { name, folder, port, command, args, env = {}, readyPath } = program;
  const url = `http://${HOST}:${port}`;
  const ask = async (): Promise<void> => {
    const { ok, status } = await fetch(`${url}${readyPath}`);
    if (!ok) throw new Error(`${name} answers with ${status}`);
  };
  const server = await serve({ service: name, url, folder, command, args: [...args], env, ask });
  if (server.pid === undefined) throw new Error(`${name} has ended at once`);
  return { url, pid: server.pid, stop: () => end(server) };
}

async function end(server: RestartableServer): Promise<void> {
  try {
    await server.halt();
  } finally {
    await server.stop();
  }
}
