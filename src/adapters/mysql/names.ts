import { MillraceError } from "../../core/error.ts";
import type { Target } from "../../ports/sink.ts";

/** A name in backticks. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

export function qualifiedName(database: string, name: string): string {
  return `${quoteName(database)}.${quoteName(name)}`;
}

export function columnList(names: readonly string[]): string {
  return names.map(quoteName).join(", ");
}

/** MySQL holds names for the same that differ in case alone. */
export function foldName(name: string): string {
  return name.toLowerCase();
}

const nameCharsMax = 64;

/** Throws CONTRACT_INVALID for a name that MySQL does not take. */
export function checkNames(target: Target): void {
  const names = [target.table, ...target.columns.map((column) => column.name)];
  for (const name of names) {
    const fault = faultOf(name);
    if (fault === undefined) continue;
    throw new MillraceError("CONTRACT_INVALID", `MySQL takes no name such as ${JSON.stringify(name)}: ${fault}`, {
      remedy: "Rename the table or column in the contract.",
      at: { table: target.table },
    });
  }
}

function faultOf(name: string): string | undefined {
  if ([...name].length > nameCharsMax) return `it has more than ${nameCharsMax} characters`;
  if (/[\u{10000}-\u{10ffff}]/u.test(name)) return "it has a character beyond U+FFFF, such as an emoji";
  return name.endsWith(" ") ? "it ends in a space" : undefined;
}
