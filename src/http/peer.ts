import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, request as ask, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { FastifyInstance } from "fastify";
import type { Member } from "../runtime/workers/member.ts";
import { Problem } from "./problem.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Only the worker that runs the pipelines can answer: it holds the figures. The others ask it. */
    readonly ofPipelines?: boolean;
  }
}

export interface PeerSocket {
  readonly path: string;
  close(): Promise<void>;
}

/** Takes the requests of other workers, on a socket in a folder that nobody else may enter. */
export async function listenToPeers(app: FastifyInstance): Promise<PeerSocket> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-peer-"));
  const path = join(folder, "socket");
  const server = createServer((request, response) => app.routing(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve());
  });
  return {
    path,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Hands requests that only the worker with the pipelines can answer over to it. Added before the routes. */
export function askPeers(app: FastifyInstance, member: Pick<Member, "peer">): void {
  app.addHook("onRequest", async (request, reply) => {
    if (request.routeOptions.config.ofPipelines !== true) return;
    const { peer } = member;
    if (peer === undefined) throw changing();
    reply.hijack();
    await handOver(request.raw, reply.raw, peer);
  });
}

async function handOver(request: IncomingMessage, response: ServerResponse, socketPath: string): Promise<void> {
  const { method, url, headers } = request;
  const sent = ask({ socketPath, method, path: url, headers });
  response.once("close", () => sent.destroy()); // an answer without end ends with its reader
  try {
    const answered = new Promise<IncomingMessage>((resolve, reject) =>
      sent.once("response", resolve).once("error", reject),
    );
    await pipeline(request, sent);
    const answer = await answered;
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    await pipeline(answer, response);
  } catch {
    if (response.headersSent) response.destroy();
    else response.writeHead(503, { "retry-after": "1", "content-type": "application/json" }).end(JSON.stringify(away));
  }
}

const away = {
  error: "The process that runs the pipelines is being replaced",
  code: "SINK_BUSY",
  remedy: "Ask again in a moment.",
} as const;

const changing = (): Problem => new Problem(503, away, { "retry-after": "1" });
