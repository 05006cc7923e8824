import type { Column } from "../core/contract.ts";
import type { EngineRow } from "../ports/engine.ts";
import { typedSql } from "./typed-sql.ts";

/** A type that a column of text may have, besides numbers. `fits` is SQL that is true for a text of it. */
interface Candidate {
  readonly column: Column;
  readonly fits: (text: string) => string;
}

const readable = (column: Column): Candidate => ({
  column,
  fits: (text) => `(${typedSql(column, text)}) is not null`,
});

const dayFormats = ["%d.%m.%Y", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y"];

/** Narrowest first. Days and months that could be either way round stay text: see `typeOf`. */
const candidates: readonly Candidate[] = [
  { column: { type: "boolean" }, fits: (text) => `lower(${text}) in ('true', 'false')` },
  readable({ type: "date" }),
  readable({ type: "timestamp" }),
  ...dayFormats.map((format) => readable({ type: "date", format })),
  ...dayFormats.map((format) => readable({ type: "timestamp", format: `${format} %H:%M:%S` })),
  readable({ type: "uuid" }),
  {
    column: { type: "json" },
    fits: (text) => `regexp_matches(${text}, '^\\s*[{\\[]') and json_valid(${text})`,
  },
];

/**
 * Kinds of numbers, each found only among what the ones before are not. Codes with leading zeros are none, so that 007
 * stays 007. More than 15 digits are `long`: a double would round them.
 */
const numberKinds = ["integer", "short", "long", "fraction", "longFraction", "none"] as const;
type NumberKind = (typeof numberKinds)[number];

/** What makes a text no number although it may be read as one. */
export const leadingZero = "[+-]?0[0-9]+.*";

/** Characters of a text that a double keeps for certain. */
export const safeDoubleChars = 16;

function numberKindSql(text: string): string {
  const is = (column: Column): string => `(${typedSql(column, text)}) is not null`;
  const digits = `length(regexp_replace(${text}, '[^0-9]', '', 'g'))`;
  return `case when ${text} is null then null
    when regexp_full_match(${text}, '${leadingZero}') then 'none'
    when ${is({ type: "integer" })} then 'integer'
    when ${is({ type: "bigint" })} then case when ${digits} <= 15 then 'short' else 'long' end
    when ${digits} <= 15 and ${is({ type: "double" })} then 'fraction'
    when ${is(wideDecimal)} then 'longFraction' else 'none' end`;
}

const wideDecimal: Column = { type: "decimal", precision: 38, scale: 10 };

/** What the values of one column have shown of its type so far. What is ruled out is not looked for again. */
export class TypeEvidence {
  #values = 0;
  readonly #numbers = new Map<NumberKind, number>();
  #possible = new Set(candidates.keys());

  /** Expressions that count, over the relation at hand, what is still to be found out of the text column `text`. */
  countsSql(text: string, name: string): string[] {
    const counts = [`count(${text}) as ${name}`];
    if (this.#isNumber()) {
      for (const kind of numberKinds)
        counts.push(`count(*) filter (where ${name}_kind = '${kind}') as ${name}_${kind}`);
    }
    for (const c of this.#possible) {
      const fits = candidates[c]?.fits(text) ?? "false";
      counts.push(`count(*) filter (where ${text} is not null and not coalesce(${fits}, false)) as ${name}_${c}`);
    }
    return counts;
  }

  /** The column `${name}_kind`, which `countsSql` counts; none when the column holds other than numbers. */
  kindSql(text: string, name: string): string[] {
    return this.#isNumber() ? [`${numberKindSql(text)} as ${name}_kind`] : [];
  }

  /** Takes in the counts of `countsSql`, of values not seen before. */
  take(counts: EngineRow, name: string): void {
    this.#values += Number(counts[name]);
    this.rule(counts, name);
    if (!this.#isNumber()) return;
    for (const kind of numberKinds) this.#numbers.set(kind, this.#count(kind) + Number(counts[`${name}_${kind}`]));
  }

  /** Rules out what the counts of a sample rule out; its values are to be seen again. */
  rule(counts: EngineRow, name: string): void {
    if (Number(counts[`${name}_none`] ?? 0) > 0) this.#numbers.set("none", 1);
    for (const c of [...this.#possible]) if (Number(counts[`${name}_${c}`]) > 0) this.#possible.delete(c);
  }

  /** Whether values were seen that no type but text holds: then no other value can change that. */
  get isText(): boolean {
    return this.#values > 0 && !this.#isNumber() && this.#possible.size === 0;
  }

  /** The narrowest type that holds every value seen; text where there is none, or none seen. */
  get column(): Column {
    if (this.#values === 0) return { type: "text" };
    if (this.#isNumber()) return this.#numberColumn();
    const fitting = [...this.#possible].map((c) => candidates[c]?.column).filter((column) => column !== undefined);
    const ambiguous = fitting.filter(({ format }) => format?.startsWith("%d/") === true || format?.startsWith("%m/"));
    const [first] = fitting;
    if (first === undefined || (first.format !== undefined && ambiguous.length > 1)) return { type: "text" };
    return first;
  }

  #numberColumn(): Column {
    const isLong = this.#count("longFraction") > 0 || (this.#count("fraction") > 0 && this.#count("long") > 0);
    if (isLong) return wideDecimal;
    if (this.#count("fraction") > 0) return { type: "double" };
    return this.#count("short") + this.#count("long") > 0 ? { type: "bigint" } : { type: "integer" };
  }

  #isNumber(): boolean {
    return this.#count("none") === 0;
  }

  #count(kind: NumberKind): number {
    return this.#numbers.get(kind) ?? 0;
  }
}
