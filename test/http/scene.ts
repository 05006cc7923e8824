import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adapterContext } from "../../src/runtime/context.ts";
import { type Application, type RunningServer, startServer } from "../../src/http/server.ts";
import { openStore } from "../../src/runtime/schemes.ts";
import type { ServiceEvent } from "../../src/runtime/service.ts";
import { type Role, Users } from "../../src/runtime/users.ts";

export const password = "a fine password";

/** A server of its own in an empty data folder, with what it has said. */
export class ServedScene implements AsyncDisposable {
  readonly server: RunningServer;
  readonly data: string;
  readonly log: readonly string[];
  readonly events: readonly ServiceEvent[];

  private constructor(server: RunningServer, data: string, log: readonly string[], events: readonly ServiceEvent[]) {
    this.server = server;
    this.data = data;
    this.log = log;
    this.events = events;
  }

  static async open(applications: readonly Application[], ...flags: readonly string[]): Promise<ServedScene> {
    const data = await mkdtemp(join(tmpdir(), "millrace-http-"));
    const log: string[] = [];
    const events: ServiceEvent[] = [];
    try {
      const server = await startServer({
        ...{ applications, data, version: "1.2.3", config: { file: undefined }, environment: {} },
        flags: ["http.port=0", ...flags],
        log: (line) => void log.push(line),
        onEvent: (event) => void events.push(event),
      });
      return new ServedScene(server, data, log, events);
    } catch (error) {
      await rm(data, { recursive: true, force: true });
      throw error;
    }
  }

  async addUser(name: string, role: Role): Promise<void> {
    const engine = {
      connect: () => Promise.reject(new Error("no engine here")),
      uniqueName: (prefix: string) => prefix,
    };
    const context = adapterContext(engine, () => undefined);
    const store = await openStore(`file:${join(this.data, "users.db")}`, context);
    await store.open();
    await new Users(store, context).add({ name, role, password });
    await store.close();
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(new URL(path, this.server.url), { headers });
  }

  post(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(new URL(path, this.server.url), { method: "POST", ...init });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    await rm(this.data, { recursive: true, force: true });
  }
}

export function basic(name: string, secret = password): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}` };
}
