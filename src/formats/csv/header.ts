import type { Column } from "../../core/contract.ts";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import { nearestName } from "../nearest.ts";
import { couldBe, looksTyped } from "./values.ts";

export type Columns = Readonly<Record<string, Column>>;

/** What the first record is taken for. */
export interface FirstRecord {
  readonly isHeader: boolean;
  /** Nothing in the file tells: it holds nothing but texts. */
  readonly isGuess: boolean;
}

/** Whether the first of the records names the fields. Throws HEADER_MISMATCH for a header of other names. */
export function judgeFirst(
  records: readonly (readonly string[])[],
  columns: Columns | undefined,
  wanted: boolean | undefined,
  source: string,
): FirstRecord {
  const [first] = records;
  if (wanted !== undefined || first === undefined) return sure(wanted === true && first !== undefined);
  if (columns === undefined) return judgeAlone(first, records.slice(1));
  return sure(isHeaderOf(columns, first, records[1], source));
}

const sure = (isHeader: boolean): FirstRecord => ({ isHeader, isGuess: false });

function isHeaderOf(
  columns: Columns,
  first: readonly string[],
  second: readonly string[] | undefined,
  source: string,
): boolean {
  const names = new Set(first.map(simple));
  const wantedNames = Object.keys(columns);
  const known = wantedNames.filter((name) => names.has(simple(name))).length;
  if (known * 2 >= wantedNames.length) return true;
  if (isForeignHeader(first, second, columns)) throw foreignHeader(first, wantedNames, source);
  return false;
}

const simple = (name: string): string => name.trim().toLowerCase();

/** Without a contract: a record with something typed in it is data, and one of texts alone may be either. */
function judgeAlone(first: readonly string[], rest: readonly (readonly string[])[]): FirstRecord {
  const names = first.map(simple);
  if (names.some(looksTyped)) return sure(false);
  const alike = rest.filter((record) => record.length === first.length);
  const couldName = names.every((name) => name !== "") && new Set(names).size === names.length;
  if (couldName && standsOut(first, alike)) return sure(true);
  return { isHeader: couldName && readsAsNames(first, alike), isGuess: true };
}

const nameWord = /^[A-Za-z_][A-Za-z0-9_ -]*$/;

/** Several short words that stand nowhere below them. A single column of words may as well be a list of them. */
function readsAsNames(first: readonly string[], alike: readonly (readonly string[])[]): boolean {
  const isName = (text: string): boolean => nameWord.test(text.trim()) && text.length <= limit.identifierChars;
  const isRepeated = (name: string, index: number): boolean =>
    alike.some((record) => simple(record[index] ?? "") === simple(name));
  return first.length > 1 && alike.length > 0 && first.every(isName) && !first.some(isRepeated);
}

/** Below one of the names stands something typed, or something that repeats. */
function standsOut(first: readonly string[], alike: readonly (readonly string[])[]): boolean {
  return first.some((name, index) => {
    const values = alike.map((record) => record[index] ?? "").filter((value) => value !== "");
    if (values.some(looksTyped)) return true;
    // A column of texts: its name is not one of them, while they repeat or look different.
    return values.length > 1 && !values.includes(name) && new Set(values).size < values.length;
  });
}

/** The first record fits no typed column of the contract while the second fits all of them. */
function isForeignHeader(first: readonly string[], second: readonly string[] | undefined, columns: Columns): boolean {
  const typed = Object.values(columns).flatMap((column, index) => (column.type === "text" ? [] : [{ column, index }]));
  if (typed.length === 0 || second === undefined || second.length !== first.length) return false;
  const fits = (record: readonly string[]) => typed.filter(({ column, index }) => couldBe(record[index] ?? "", column));
  const isNamed = first.every((name) => name.trim() !== "" && !looksTyped(name.trim()));
  return isNamed && fits(first).length === 0 && fits(second).length === typed.length;
}

function foreignHeader(first: readonly string[], wanted: readonly string[], source: string): MillraceError {
  return new MillraceError(
    "HEADER_MISMATCH",
    `${source} starts with a header of other names (${list(first)}) than the contract's columns (${list(wanted)})`,
    {
      remedy: "Rename the columns in the file or in the contract; if the first line is data, add --no-header.",
      at: { source, line: 1 },
    },
  );
}

/**
 * The contract's column of each field that a header names, in any order, without regard to case and blanks around.
 * The names that an inferred contract gave to the fields of this header are theirs, whatever they are called there;
 * undefined for a field the contract lacks, where `ignoreExtra` allows it. Throws HEADER_MISMATCH.
 */
export function columnsByHeader(
  header: readonly string[],
  columns: Columns,
  ignoreExtra: boolean,
  source: string,
): (string | undefined)[] {
  const inferred = fieldNames(header, header.length);
  const names = Object.keys(columns);
  if (names.length === inferred.length && names.every((name, index) => name === inferred[index])) return inferred;
  const wanted = new Map(names.map((name) => [simple(name), name]));
  const found = header.map((name) => wanted.get(simple(name)));
  const twice = header.find((name, index) => header.findIndex((other) => simple(other) === simple(name)) !== index);
  if (twice !== undefined && (wanted.has(simple(twice)) || !ignoreExtra)) {
    throw mismatch(source, `the column "${twice.trim()}" is there twice`, "Rename one of the two.");
  }
  const missing = Object.entries(columns).find(([name, column]) => column.nullable !== true && !found.includes(name));
  if (missing !== undefined) {
    const spare = header.filter((_, index) => found[index] === undefined);
    const nearest = nearestName(missing[0], spare);
    const hint = nearest === undefined ? "" : ` "${nearest.trim()}" is nearest.`;
    throw mismatch(
      source,
      `the column "${missing[0]}" is missing; there are ${list(header)}`,
      `Add the column, rename one, or make it nullable in the contract.${hint}`,
    );
  }
  const extra = header.filter((_, index) => found[index] === undefined);
  if (extra.length > 0 && !ignoreExtra) {
    throw mismatch(
      source,
      `the contract lacks ${extra.length === 1 ? "the column" : "the columns"} ${list(extra)}`,
      "Add it to the contract, or drop what the contract lacks with --ignore-extra (ignoreExtra: true in a pipeline).",
    );
  }
  return found;
}

function mismatch(source: string, what: string, remedy: string): MillraceError {
  return new MillraceError("HEADER_MISMATCH", `The header of ${source} does not match the contract: ${what}`, {
    remedy,
    at: { source, line: 1 },
  });
}

const list = (names: readonly string[]): string => {
  const shown = names.slice(0, 20).map((name) => JSON.stringify(name.trim().slice(0, limit.identifierChars)));
  return names.length > 20 ? `${shown.join(", ")} and ${names.length - 20} more` : shown.join(", ");
};

/** Names for the fields of a file without contract: the header's made unique and usable, or `column0`, `column1`, … */
export function fieldNames(header: readonly string[] | undefined, count: number): string[] {
  const taken = new Set<string>();
  return Array.from({ length: count }, (_, index) => {
    const given = [...(header?.[index] ?? "").replaceAll("\0", "").trim()].slice(0, limit.identifierChars).join("");
    const stem = given === "" ? `column${index}` : given;
    let name = stem;
    for (let more = 2; taken.has(name.toLowerCase()); more += 1) {
      const ending = `_${more}`;
      name = `${[...stem].slice(0, limit.identifierChars - ending.length).join("")}${ending}`;
    }
    taken.add(name.toLowerCase());
    return name;
  });
}
