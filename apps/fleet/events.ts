import {
  errorAnswers,
  type FastifyInstance,
  type Log,
  type LogRecord,
  MillraceError,
  Problem,
} from "../../src/index.ts";
import { type FleetEvent, Lines, type ReceivedEvents, receivedEvents } from "./received-events.ts";

/** Largest body, and most events in it. */
const eventsBytesMax = 4 * 2 ** 20;

/** Events that may be on their way into the stream: beyond it callers are told to come again. */
const pendingBytesMax = 32 * 2 ** 20;

const eventSchema = { type: "object", additionalProperties: true, description: "The event as it is stored" } as const;

const batchSchema = {
  type: "object",
  properties: {
    accepted: { type: "integer", description: "Events that are durable" },
    rejected: { type: "integer" },
    errors: {
      type: "array",
      items: { type: "object", properties: { index: { type: "integer" }, error: { type: "string" } } },
    },
  },
  required: ["accepted", "rejected", "errors"],
} as const;

/** `POST /events`, which answers when what it was sent is durable in the stream, and `GET /events`. */
export function addEvents(app: FastifyInstance, stream: Log, now: () => number): void {
  app.addContentTypeParser(["application/x-ndjson", "application/jsonl"], { parseAs: "string" }, (_, body, done) =>
    done(null, new Lines(String(body))),
  );
  const append = bounded(stream);
  const schema = {
    tags: ["fleet"],
    summary: "Store events of vehicles",
    description:
      "One event as a form or a JSON object, or a batch of them as a JSON array or NDJSON. Answered when they are durable in the stream.",
    response: {
      200: {
        description: "Durable: the event as it is stored, or for a batch how many",
        content: { "application/json": { schema: { anyOf: [eventSchema, batchSchema] } } },
      },
      ...errorAnswers(400, 413, 503),
    },
  };
  // Vehicles send all the time: what bounds them is the stream, and a line of the log for each would be most of its cost.
  const config = { rateLimit: false, quiet: true } as const;
  app.post("/events", { schema, bodyLimit: eventsBytesMax, config }, async (request, reply) => {
    const { records, errors, single } = recordsOf(receivedEvents(request), stream.facts.valueBytesMax, now());
    if (records.length > 0) await append(records);
    // The event as it is stored, to the byte.
    if (single) return reply.type("application/json; charset=utf-8").send(records[0]?.value);
    return { accepted: records.length, rejected: errors.length, errors };
  });
  addWelcome(app, stream);
}

interface Records extends Pick<ReceivedEvents, "errors" | "single"> {
  readonly records: readonly LogRecord[];
}

/** The events as the stream holds them; one that it cannot hold is refused alone. */
function recordsOf({ events, errors, single }: ReceivedEvents, bytesMax: number, timeMs: number): Records {
  const records: LogRecord[] = [];
  const large: { readonly index: number; readonly error: string }[] = [];
  for (const { index, event } of events) {
    const record = recordOf(event, timeMs);
    if (record.value.length <= bytesMax) records.push(record);
    else large.push({ index, error: "is larger than the stream takes" });
  }
  if (single && large.length > 0) {
    throw new Problem(413, { error: "The event is larger than the stream takes", code: "REQUEST_TOO_LARGE" });
  }
  return { records, errors: [...errors, ...large], single };
}

function recordOf(event: FleetEvent, timeMs: number): LogRecord {
  const { vin } = event;
  const value = Buffer.from(JSON.stringify(event));
  return typeof vin === "string" && vin !== "" ? { key: Buffer.from(vin), value, timeMs } : { value, timeMs };
}

/** Appends, or says that too much waits already: a buffer without bound would take the process with it. */
function bounded(stream: Log): (records: readonly LogRecord[]) => Promise<void> {
  let pendingBytes = 0;
  return async (records) => {
    const sizeBytes = records.reduce((sum, { value }) => sum + value.length, 0);
    if (pendingBytes > 0 && pendingBytes + sizeBytes > pendingBytesMax) throw tooMuch();
    pendingBytes += sizeBytes;
    try {
      await stream.append(records);
    } catch (error) {
      throw stream.explain(error);
    } finally {
      pendingBytes -= sizeBytes;
    }
  };
}

function tooMuch(): MillraceError {
  return new MillraceError("SINK_BUSY", "More events come than the stream takes", {
    remedy: "Send them again in a moment.",
  });
}

function addWelcome(app: FastifyInstance, stream: Log): void {
  const schema = {
    tags: ["fleet"],
    summary: "How many events were stored, as a page",
    response: {
      200: { description: "A page", content: { "text/html": { schema: { type: "string" } } } },
      ...errorAnswers(503),
    },
  };
  app.get("/events", { schema }, async (_, reply) => {
    const lanes = await stream.lanes().catch((error: unknown) => Promise.reject(stream.explain(error)));
    const served = lanes.reduce((sum, { appended, end }) => sum + (appended ?? end), 0n);
    const page = `<!doctype html>\n<title>Events</title>\n<p>Welcome to KafkaProducer/HTTPServer!</p>\n<p>Events served: ${served}.</p>\n`;
    return reply.type("text/html; charset=utf-8").send(page);
  });
}
