import { MillraceError, type ReplicaEntry } from "../../src/index.ts";
import type { Cell } from "./typing.ts";

/** The values of an entry besides its key. Throws FILE_FORMAT for a value that is no list of JSON. */
export function cellsOf({ key, value }: ReplicaEntry, replica: string): readonly Cell[] {
  const found = parsed(value);
  if (Array.isArray(found)) return found as readonly Cell[];
  throw new MillraceError("FILE_FORMAT", `The replica ${replica} holds something else than a JSON list`, {
    remedy: "Load the replica again, or unregister it.",
    at: { source: `${replica} ${JSON.stringify(key.slice(0, 60))}` },
  });
}

function parsed(value: string): unknown {
  try {
    // Digits beyond 2^53 are kept as they are; the detour costs, and is made where there may be some.
    return /\d{16}/.test(value) ? JSON.parse(value, exact) : JSON.parse(value);
  } catch {
    return undefined;
  }
}

function exact(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return context?.source !== undefined && /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
}

/** A value as CSV: null is the empty field, all else stands in quotes. */
export function csvField(value: Cell): string {
  if (value === null) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return `"${text.includes('"') ? text.replaceAll('"', '""') : text}"`;
}
