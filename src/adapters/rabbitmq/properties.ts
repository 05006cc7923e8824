import type { ConsumeMessage, Options } from "amqplib";
import type { Delivery, QueueMessage } from "../../ports/queue.ts";

/** Headers of Millrace's own messages. */
const names = { records: "millrace-records", timeMs: "millrace-time", reason: "millrace-reason" } as const;

export function propertiesOf({ id, records, timeMs }: QueueMessage, reason?: string): Options.Publish {
  return {
    contentType: records === undefined ? "application/json" : "application/x-ndjson",
    ...(id === undefined ? {} : { messageId: id }),
    // To the second for the tools of others, in full for Millrace.
    ...(timeMs === undefined ? {} : { timestamp: Math.floor(timeMs / 1_000) }),
    headers: {
      ...(records === undefined ? {} : { [names.records]: records }),
      ...(timeMs === undefined ? {} : { [names.timeMs]: String(timeMs) }),
      ...(reason === undefined ? {} : { [names.reason]: reason.slice(0, 1_000) }),
    },
  };
}

export function deliveryOf({ fields, properties, content }: ConsumeMessage): Delivery {
  const headers: Readonly<Record<string, unknown>> = properties.headers ?? {};
  const id: unknown = properties.messageId;
  const records = headers[names.records];
  const timeMs = timeOf(headers[names.timeMs], properties.timestamp);
  const attempts = headers["x-delivery-count"];
  return {
    number: fields.deliveryTag,
    attempts: typeof attempts === "number" ? attempts : 0,
    body: content,
    ...(typeof id === "string" && id !== "" ? { id } : {}),
    ...(typeof records === "string" ? { records } : {}),
    ...(timeMs === undefined ? {} : { timeMs }),
  };
}

function timeOf(own: unknown, seconds: unknown): number | undefined {
  if (typeof own === "string" && /^\d{1,15}$/.test(own)) return Number(own);
  return typeof seconds === "number" && seconds > 0 ? seconds * 1_000 : undefined;
}
