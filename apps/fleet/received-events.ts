import { type FastifyRequest, Problem } from "../../src/index.ts";
import { numbers } from "./tables.ts";

/** An event as it goes into the stream: one JSON object. What its fields are is for the table's contract to say. */
export type FleetEvent = Readonly<Record<string, unknown>>;

/** An event, and its place in the batch. */
export interface PlacedEvent {
  readonly index: number;
  readonly event: FleetEvent;
}

export interface ReceivedEvents {
  readonly events: readonly PlacedEvent[];
  /** Elements of a batch that are no objects, by their place in it. */
  readonly errors: readonly { readonly index: number; readonly error: string }[];
  /** Whether the body was one event and not a batch of them. */
  readonly single: boolean;
}

const nothing = "Invalid event type or format!";

/** The events of a request: a form or a JSON object is one; a JSON array or lines of JSON are a batch. Throws 400, 422. */
export function receivedEvents({ body, query }: FastifyRequest): ReceivedEvents {
  if (Array.isArray(body)) return batchOf(body as unknown[]);
  if (body instanceof Lines) return batchOf(body.values);
  const event = eventOf(body) ?? eventOf(query);
  if (event === undefined) throw new Problem(400, { error: nothing });
  return { events: [{ index: 0, event }], errors: [], single: true };
}

/** The lines of an NDJSON body, each as JSON or as what is wrong with it. */
export class Lines {
  readonly values: readonly unknown[];
  constructor(text: string) {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    this.values = lines.map((line): unknown => {
      try {
        return JSON.parse(line);
      } catch {
        return undefined;
      }
    });
  }
}

function batchOf(values: readonly unknown[]): ReceivedEvents {
  if (values.length === 0) throw new Problem(400, { error: nothing });
  const events: PlacedEvent[] = [];
  const errors: { index: number; error: string }[] = [];
  for (const [index, value] of values.entries()) {
    const event = eventOf(value);
    if (event === undefined) errors.push({ index, error: "is not a JSON object with fields" });
    else events.push({ index, event });
  }
  return { events, errors, single: false };
}

function eventOf(value: unknown): FleetEvent | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const fields = value instanceof Map ? [...(value as Map<string, string>)].map(fromText) : Object.entries(value);
  return fields.length === 0 ? undefined : Object.fromEntries(fields as [string, unknown][]);
}

/** A number where the table has one and the text is one that JSON can hold as it is; else the text, for the contract to refuse. */
function fromText([name, text]: [string, string]): [string, unknown] {
  const isNumber = numbers.has(name) && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text);
  return [name, isNumber && Number.isFinite(Number(text)) ? Number(text) : text];
}
