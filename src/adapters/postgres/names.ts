import { MillraceError } from "../../core/error.ts";
import { quoteIdentifier } from "../../core/identifier.ts";
import type { Target } from "../../ports/sink.ts";

/** PostgreSQL cuts longer names without a word, so that two of them could become one. */
const nameBytesMax = 63;

export function qualifiedName(schema: string | undefined, name: string): string {
  return schema === undefined ? quoteIdentifier(name) : `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

export function columnList(names: readonly string[]): string {
  return names.map(quoteIdentifier).join(", ");
}

/** Throws CONTRACT_INVALID for a name that PostgreSQL would cut. */
export function checkNames(target: Target): void {
  const names = [target.table, ...target.columns.map((column) => column.name)];
  const long = names.find((name) => Buffer.byteLength(name) > nameBytesMax);
  if (long === undefined) return;
  throw new MillraceError("CONTRACT_INVALID", `The name ${JSON.stringify(long)} is too long for PostgreSQL`, {
    remedy: `Shorten it to ${nameBytesMax} bytes of UTF-8.`,
    at: { table: target.table },
  });
}
