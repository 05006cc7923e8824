import {
  addresses,
  type Change,
  constantColumns,
  type Contract,
  duplicatedColumns,
  type FileRelation,
  impute,
  missingColumns,
  profile,
  type Profile,
  type RelationColumn,
  repairJson,
  type Step,
  type Ticket,
} from "../../src/index.ts";

/** What a replica's description says of its columns. */
export interface ColumnFindings {
  /** Columns of one value, and the value. */
  readonly constant: readonly { readonly name: string; readonly value: unknown }[];
  /** By column, the later ones with equal values. */
  readonly duplicated: ReadonlyMap<string, readonly string[]>;
  /** Columns that lack values, the fewest first. */
  readonly missing: readonly { readonly name: string; readonly count: number }[];
}

/** A relation as it goes into the cache. */
export interface CleanedRelation {
  /** In SQL; its `rowid` counts rows in the order of the file. */
  readonly relation: string;
  readonly columns: readonly RelationColumn[];
  readonly findings: ColumnFindings;
  /** What was changed, for people: one line each. */
  readonly changes: readonly string[];
}

/** How the records of a ticket's file are cleaned while they are read. */
export function cleaningOf(ticket: Ticket): (inferred: Contract) => { contract: Contract; steps: readonly Step[] } {
  return (inferred) => {
    const names = Object.keys(inferred.columns);
    const key = keyOf(names, ticket);
    // A row without a key is refused; nothing is put in its place.
    const columns = Object.entries(inferred.columns).map(([name, { nullable, ...column }]) => {
      return [name, name === key || nullable !== true ? column : { ...column, nullable }] as const;
    });
    const contract = { ...inferred, columns: Object.fromEntries(columns) };
    return { contract, steps: [repairJson(), ...addressSteps(inferred), profile(), impute()] };
  };
}

/** The key column: called as the ticket says, in whatever case. */
export function keyOf(names: readonly string[], { primIndex }: Ticket): string | undefined {
  if (primIndex === undefined) return undefined;
  return (
    names.find((name) => name === primIndex) ?? names.find((name) => name.toLowerCase() === primIndex.toLowerCase())
  );
}

/** Columns that are called addresses, and columns of the parts of one. */
function addressSteps({ columns }: Contract): Step[] {
  const isText = (name: string): boolean => ["text", "json"].includes(columns[name]?.type ?? "");
  const steps: Step[] = Object.keys(columns)
    .filter((name) => /address/i.test(name) && isText(name))
    .map(addresses);
  return isText("state") && isText("country") ? [...steps, addresses({ state: "state", country: "country" })] : steps;
}

/** What cleaning has found and changed. */
export async function cleaned(given: FileRelation): Promise<CleanedRelation> {
  const { relation, columns, measured, changes } = given;
  // As all rows stood before anything was put in the place of what was missing.
  const before = measured.get("profile") as unknown as Profile | undefined;
  return { relation, columns, findings: findingsOf(before ?? (await given.profile())), changes: changes.map(lineOf) };
}

function findingsOf(found: Profile): ColumnFindings {
  return {
    constant: constantColumns(found).map(({ name, constant }) => ({ name, value: jsonValue(constant) })),
    duplicated: duplicatedColumns(found),
    missing: missingColumns(found).map(({ name, missing }) => ({ name, count: missing })),
  };
}

/** JSON has no whole numbers of any size. */
function jsonValue(value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

function lineOf({ step, column, what, count, examples }: Change): string {
  const [first] = examples;
  const example =
    first === undefined ? "" : `, such as ${first.from ?? "nothing"}${first.to === null ? "" : ` → ${first.to}`}`;
  return `${step}, ${column}: ${count} values ${what}${example}`;
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
