import {
  constantColumns,
  duplicatedColumns,
  type FileRelation,
  missingColumns,
  type Profile,
} from "../../src/index.ts";
import type { CleanedRelation, ColumnFindings } from "./cleaning.ts";

/** Looks at the columns and changes nothing. */
export async function lookOnly(given: FileRelation): Promise<CleanedRelation> {
  const { relation, columns } = given;
  return { relation, columns, findings: findingsOf(await given.profile()), changes: [] };
}

/** What is missing, constant and double. */
export function findingsOf(profile: Profile): ColumnFindings {
  return {
    constant: constantColumns(profile).map(({ name, constant }) => ({ name, value: jsonValue(constant) })),
    duplicated: duplicatedColumns(profile),
    missing: missingColumns(profile).map(({ name, missing }) => ({ name, count: missing })),
  };
}

/** JSON has no whole numbers of any size. */
function jsonValue(value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
