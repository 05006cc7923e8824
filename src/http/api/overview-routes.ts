import type { FastifyInstance, FastifyReply } from "fastify";
import { limit } from "../../core/limit.ts";
import type { Overview } from "../../runtime/overview.ts";
import { requireRole } from "../login.ts";
import { errorAnswers } from "../openapi.ts";
import { problem } from "../problem.ts";
import { answers, countFields, figure, list, nullable, record, security, text, whole } from "./shape.ts";

const texts = Object.fromEntries(Object.keys(countFields).map((name) => [name, text]));

export const pipelineSchema = record({
  ...{ name: text, application: text, warehouse: text, kind: { type: "string", enum: ["followed", "upload"] } },
  ...{ from: text, to: text, table: text },
  stages: list(record({ kind: text, text })),
  state: { type: "string", enum: ["running", "waiting", "stopped", "elsewhere"] },
  error: { type: ["object", "null"], properties: { code: text, text } },
  lastBatch: { type: ["object", "null"], properties: { at: text, source: text, ...countFields } },
  rowsPerSecond: figure,
  rejectsPerSecond: figure,
  lagRecords: nullable("integer"),
  lagBytes: nullable("integer"),
  delayMs: { type: ["object", "null"], properties: { p50: figure, p99: figure } },
  openRejects: whole,
  sinceStart: record(texts),
  spark: record({ rows: list(figure), rejects: list(figure), delayMs: list(nullable("number")) }),
});

const overviewFields = {
  at: text,
  totals: record({
    ...{ rowsPerSecond: figure, rejectsPerSecond: figure, rows: text, rejects: text, openRejects: whole },
    ...{ running: whole, waiting: whole },
  }),
  attention: list(record({ level: text, pipeline: nullable("string"), text, remedy: nullable("string"), link: text })),
  pipelines: list(pipelineSchema),
};

/** `GET /api/overview`, and the same once a second as events. */
export function addOverviewRoutes(app: FastifyInstance, overview: Overview, stopping: AbortSignal): void {
  const schema = {
    tags: ["api"],
    summary: "What flows now",
    description: "Every pipeline, where it stands, and what needs attention first. Needs the role reader.",
    security,
    response: { 200: answers("Now", overviewFields), ...errorAnswers(401, 403, 429, 503) },
  };
  app.get("/api/overview", { schema }, async (request, reply) => {
    await requireRole(request, "reader");
    reply.header("cache-control", "no-store");
    return overview.now();
  });
  addEvents(app, new OverviewStream(overview, (error) => app.log.warn({ err: error }, "no overview")), stopping);
}

function addEvents(app: FastifyInstance, stream: OverviewStream, stopping: AbortSignal): void {
  const schema = {
    tags: ["api"],
    summary: "What flows now, once a second, as server-sent events",
    description: "`event: overview` with what /api/overview answers. Needs the role reader.",
    security,
    response: {
      200: { description: "Events", content: { "text/event-stream": { schema: { type: "string" } } } },
      ...errorAnswers(401, 403, 429, 503),
    },
  };
  app.get("/api/events", { schema }, async (request, reply) => {
    await requireRole(request, "reader");
    if (stream.readers >= limit.overviewStreams) throw tooMany();
    // Also what changes while somebody looks counts: a session that has ended, a user who was removed.
    const mayLook = async (): Promise<boolean> => {
      request.signedIn = undefined;
      await requireRole(request, "reader");
      return true;
    };
    stream.join(reply, stopping, mayLook);
    return reply;
  });
}

function tooMany() {
  return problem(503, "SINK_BUSY", "Too many look already", "Close one of the others.", { "retry-after": "10" });
}

interface Reader {
  readonly send: (event: string) => void;
  readonly mayLook: () => Promise<boolean>;
  readonly end: () => void;
}

/** Looks made for all readers, between which it is asked whether each may still look. */
const looksPerCheck = 10;

/** Readers of the overview: one look a second for all of them, none while nobody reads. */
class OverviewStream {
  readonly #overview: Overview;
  readonly #failed: (error: unknown) => void;
  readonly #readers = new Set<Reader>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #looks = 0;

  constructor(overview: Overview, failed: (error: unknown) => void) {
    this.#overview = overview;
    this.#failed = failed;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** Takes the reply over until its reader leaves, may look no more, or the service ends. */
  join(reply: FastifyReply, stopping: AbortSignal, mayLook: Reader["mayLook"]): void {
    const { raw } = reply;
    reply.hijack();
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      "content-type": "text/event-stream",
      "cache-control": "no-store",
    });
    raw.write("retry: 2000\n\n");
    const reader: Reader = {
      // A reader that does not keep up misses seconds, and memory stays flat.
      send: (event) => void (raw.writableNeedDrain || raw.write(event)),
      mayLook,
      end: () => {
        stopping.removeEventListener("abort", reader.end);
        this.#leave(reader);
        if (!raw.writableEnded) raw.end();
      },
    };
    this.#readers.add(reader);
    raw.once("close", reader.end);
    stopping.addEventListener("abort", reader.end, { once: true });
    if (stopping.aborted || raw.destroyed) return reader.end();
    this.#timer ??= setInterval(() => this.#tick(), limit.overviewMs);
    this.#tick();
  }

  #leave(reader: Reader): void {
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Never two looks at once: one that takes longer leaves seconds out. */
  #tick(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#tell()
      .catch(this.#failed) // A place may be away for a moment: the next second asks again.
      .finally(() => (this.#isLooking = false));
  }

  async #tell(): Promise<void> {
    this.#looks += 1;
    if (this.#looks % looksPerCheck === 0) {
      for (const reader of this.#readers) if (!(await reader.mayLook().catch(() => false))) reader.end();
    }
    const event = `event: overview\ndata: ${JSON.stringify(await this.#overview.now())}\n\n`;
    for (const reader of this.#readers) reader.send(event);
  }
}
