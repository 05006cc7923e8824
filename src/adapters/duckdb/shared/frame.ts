import type { SentError } from "./sent-error.ts";

/**
 * What a frame says. Either side may ask the other: `call` asks, `answer` and `failure` end it under its number. A long
 * answer comes as `piece`s before its end; `more` says that one of them was taken, `stop` that no more are wanted.
 */
export type Frame =
  | { readonly kind: "call"; readonly id: number; readonly name: string; readonly args: readonly unknown[] }
  | { readonly kind: "piece"; readonly id: number; readonly items: readonly unknown[] }
  | { readonly kind: "more" | "stop"; readonly id: number }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly error: SentError };

/** What has come as a frame. Both sides are of one version, so what lies within is as it was sent. Throws TypeError. */
export function parseFrame(value: unknown): Frame {
  if (!isRecord(value) || !Number.isSafeInteger(value["id"])) throw new TypeError("what came is no frame");
  const { kind } = value;
  const isWhole =
    (kind === "call" && typeof value["name"] === "string" && Array.isArray(value["args"])) ||
    (kind === "piece" && Array.isArray(value["items"])) ||
    (kind === "failure" && isRecord(value["error"])) ||
    kind === "answer" ||
    kind === "more" ||
    kind === "stop";
  if (!isWhole) throw new TypeError("what came is no frame");
  return value as unknown as Frame;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
