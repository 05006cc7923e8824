import type { FileRelation } from "../../src/index.ts";
import type { CleanedRelation, ColumnFindings } from "./cleaning.ts";

/** Columns that one query looks at. */
const columnsAtOnce = 50;

interface Looked {
  readonly name: string;
  readonly sql: string;
  readonly missing: number;
  readonly distinct: number;
  readonly digest: string;
  readonly first: unknown;
}

/** Looks at the columns and changes nothing. */
export async function lookOnly(given: FileRelation): Promise<CleanedRelation> {
  const { relation, columns } = given;
  return { relation, columns, findings: await findingsOf(given), changes: [] };
}

/** What is missing, constant and double. */
export async function findingsOf(given: FileRelation): Promise<ColumnFindings> {
  const looked: Looked[] = [];
  for (let from = 0; from < given.columns.length; from += columnsAtOnce) {
    looked.push(...(await lookAt(given, given.columns.slice(from, from + columnsAtOnce))));
  }
  const { rows } = given;
  return {
    constant: looked
      .filter(({ missing, distinct }) => rows > 0 && missing === 0 && distinct === 1)
      .map(({ name, first }) => ({ name, value: first })),
    duplicated: await duplicatedOf(given, looked),
    missing: looked
      .filter(({ missing }) => missing > 0)
      .map(({ name, missing }) => ({ name, count: missing }))
      .toSorted((a, b) => a.count - b.count),
  };
}

async function lookAt(
  { connection, relation, rows }: FileRelation,
  columns: FileRelation["columns"],
): Promise<Looked[]> {
  const sums = columns.flatMap(({ name }, index) => {
    const column = quoted(name);
    return [
      `count(${column}) as n${index}`,
      // Two are as many as have to be told apart from one.
      `case when min(${column}) is not distinct from max(${column}) then 1 else 2 end as d${index}`,
      `bit_xor(hash(rowid, cast(${column} as varchar)))::varchar as h${index}`,
      `cast(to_json(min(${column})) as varchar) as v${index}`,
    ];
  });
  const [found = {}] = await connection.all(`select ${sums.join(", ")} from ${relation}`);
  return columns.map(({ name }, index) => ({
    name,
    sql: quoted(name),
    missing: rows - Number(found[`n${index}`]),
    distinct: Number(found[`d${index}`]),
    digest: textOf(found[`h${index}`]),
    first: JSON.parse(textOf(found[`v${index}`])) as unknown,
  }));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "null";
}

async function duplicatedOf(
  { connection, relation, rows }: FileRelation,
  looked: readonly Looked[],
): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const taken = new Set<string>();
  for (const [index, one] of looked.entries()) {
    if (taken.has(one.name) || rows === 0) continue;
    for (const other of looked.slice(index + 1)) {
      if (taken.has(other.name) || other.digest !== one.digest) continue;
      const [a, b] = [one.sql, other.sql].map((sql) => `cast(${sql} as varchar)`);
      const differing = await connection.all(`select 1 from ${relation} where ${a} is distinct from ${b} limit 1`);
      if (differing.length > 0) continue;
      taken.add(other.name);
      found.set(one.name, [...(found.get(one.name) ?? []), other.name]);
    }
  }
  return found;
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
