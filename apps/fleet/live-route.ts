import { errorAnswers, type FastifyInstance, Problem } from "../../src/index.ts";
import type { Live } from "./live.ts";

const everyMs = 1_000;
const listenersMax = 100;

/** `GET /api/live`: figures once a second as server-sent events, until the caller leaves or the service ends. */
export function addLive(app: FastifyInstance, live: Live, stopping: AbortSignal): void {
  const listeners = new Set<(text: string) => void>();
  let timer: NodeJS.Timeout | undefined;
  const tell = async (): Promise<void> => {
    const text = `data: ${JSON.stringify(await live.take())}\n\n`;
    for (const send of listeners) send(text);
  };
  const join = (send: (text: string) => void): void => {
    listeners.add(send);
    live.listeners = listeners.size;
    // The stream may be away for a moment: the next second asks again.
    timer ??= setInterval(() => {
      tell().catch((error: unknown) => app.log.warn({ err: error }, "no live figures"));
    }, everyMs);
  };
  const leave = (send: (text: string) => void): void => {
    listeners.delete(send);
    live.listeners = listeners.size;
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  const schema = {
    tags: ["fleet"],
    summary: "Live figures as server-sent events",
    description:
      "Once a second: events per second, lag of each lane, delay from arrival to table, positions of vehicles; of the process that runs the pipelines.",
    response: {
      200: { description: "Events", content: { "text/event-stream": { schema: { type: "string" } } } },
      ...errorAnswers(429, 503),
    },
  };
  app.get("/api/live", { schema, config: { ofPipelines: true } }, async (request, reply) => {
    if (listeners.size >= listenersMax) throw tooMany();
    const { raw } = reply;
    reply.hijack();
    raw.writeHead(200, {
      ...reply.getHeaders(),
      "content-type": "text/event-stream",
      "cache-control": "no-store",
    } as Record<string, string>);
    raw.write(": once a second\n\n");
    const send = (text: string): void => {
      // A reader that does not keep up misses seconds, and memory stays flat.
      if (!raw.writableNeedDrain) raw.write(text);
    };
    const end = (): void => {
      leave(send);
      stopping.removeEventListener("abort", end);
      if (!raw.writableEnded) raw.end();
    };
    join(send);
    stopping.addEventListener("abort", end, { once: true });
    request.raw.once("close", end);
    return reply;
  });
}

function tooMany(): Problem {
  const body = { error: "Too many look already", code: "SINK_BUSY", remedy: "Close one of the others." };
  return new Problem(503, body, { "retry-after": "10" });
}
