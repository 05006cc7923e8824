import { MillraceError } from "./error.ts";
import { limit } from "./limit.ts";
import { isLineFormat } from "./line-format.ts";

/** What an option may be: its test and how that reads. */
type Rule = readonly [isRight: (value: unknown) => boolean, says: string];

const aBoolean: Rule = [(value) => typeof value === "boolean", "true or false"];
const aText: Rule = [(value) => typeof value === "string", "text"];
const aChar: Rule = [(value) => typeof value === "string" && value.length === 1, "one character"];
const wholeNumber = (min: number, max: number): Rule => [
  (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
  `a whole number from ${min} to ${max}`,
];
const oneOf = (...allowed: readonly string[]): Rule => [
  (value) => typeof value === "string" && allowed.includes(value),
  `one of ${allowed.join(", ")}`,
];

const stableMsMax = 86_400_000;

function isReadyRule(value: unknown): boolean {
  if (value === "ticket" || value === "done-file") return true;
  if (typeof value !== "object" || value === null || Object.keys(value).join() !== "stableMs") return false;
  const { stableMs } = value as { readonly stableMs?: unknown };
  return Number.isInteger(stableMs) && Number(stableMs) >= 1 && Number(stableMs) <= stableMsMax;
}

const [isNamedFormat, saysFormat] = oneOf("csv", "json", "ndjson", "parquet", "xlsx", "avro");

export const sourceRules: Readonly<Record<string, Rule>> = {
  format: [(value) => isLineFormat(value) || isNamedFormat(value), `${saysFormat}, or what lineFormat makes`],
  sheet: aText,
  header: aBoolean,
  delimiter: aChar,
  quote: [(value) => typeof value === "string" && value.length <= 1, "one character, or none"],
  encoding: oneOf("utf-8", "latin1", "utf-16le", "utf-16be"),
  nullText: aText,
  ignoreExtra: aBoolean,
  parallel: wholeNumber(1, limit.parallel),
  atomic: aBoolean,
  settle: oneOf("keep", "delete", "archive"),
  ready: [isReadyRule, '"ticket", "done-file" or { stableMs } with a whole number of ms up to a day'],
  pollMs: wholeNumber(100, limit.pollMsMax),
  sameName: oneOf("append", "refuse"),
  expectedBy: aText,
  batchRows: wholeNumber(1, limit.batchRecords),
  lingerMs: wholeNumber(0, 60_000),
  whenGone: oneOf("fail", "skip"),
  registry: aText,
};

const { batchRows, lingerMs, whenGone } = sourceRules as Readonly<Record<"batchRows" | "lingerMs" | "whenGone", Rule>>;

export const viaRules: Readonly<Record<string, Rule>> = { batchRows, lingerMs, whenGone, state: aText };

export const sinkRules: Readonly<Record<string, Rule>> = {
  table: aText,
  mode: oneOf("append", "merge", "replace"),
  lineage: aBoolean,
  stateSchema: aText,
  state: aText,
  format: oneOf("json", "avro"),
  registry: aText,
  guarantee: oneOf("exactly-once"),
};

/**
 * Checks options as they come from modules, whose types nobody may have checked: an option that is misspelt would be
 * ignored, and one of another value taken for something else. Throws PIPELINE_INVALID.
 */
export function checkOptions(pipeline: string, options: object, rules: Readonly<Record<string, Rule>>): void {
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    const rule = rules[name];
    if (rule === undefined) {
      throw mistake(pipeline, `there is no option "${name}"`, `Options here are ${Object.keys(rules).join(", ")}.`);
    }
    const [isRight, says] = rule;
    if (value !== undefined && !isRight(value)) throw mistake(pipeline, `"${name}" is not ${says}`, `Make it ${says}.`);
  }
}

function mistake(pipeline: string, what: string, remedy: string): MillraceError {
  return new MillraceError("PIPELINE_INVALID", `The pipeline "${pipeline}" has a mistake: ${what}`, { remedy });
}
