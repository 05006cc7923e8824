import type { Column, Contract } from "../core/contract.ts";
import type { Reason } from "../core/reject.ts";
import type { Check } from "./checked.ts";
import { wholeBounds } from "./line-shape.ts";
import { type Rule, reasonOf } from "./rules.ts";

/**
 * Tells what is wrong with a record whose faults are plain: a missing value, a text where a number stands, a day that no
 * calendar has. It knows the few cases that are nearly all and says of every other that it does not know; the engine
 * then decides, so that a record has the same reasons whoever looked at it.
 */
export interface PlainJudge {
  /** The reasons of a line without quotes and without its end, none when it is good; undefined where it is not sure. */
  reasonsOf(line: Uint8Array): readonly Reason[] | undefined;
}

/** The rules that a text breaks, in their order; undefined where it cannot be told. */
type FieldJudge = (text: string) => readonly Rule[] | undefined;

const none: readonly Rule[] = [];

/** Of a contract that `lineShape` knows: it has no rules that are the engine's alone. */
export function plainJudge({ contract, rules }: Check, delimiter: string): PlainJudge {
  const names = Object.keys(contract.columns);
  const judges = judgesOf(contract, rules);
  return {
    reasonsOf(line) {
      const texts = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString("latin1").split(delimiter);
      if (texts.length !== names.length) return undefined;
      const reasons: Reason[] = [];
      for (let index = 0; index < judges.length; index += 1) {
        const broken = judges[index]?.(texts[index] as string);
        if (broken === undefined) return undefined;
        for (const rule of broken) {
          reasons.push(reasonOf(rule, names, rule.code === "missing" ? [] : texts));
        }
      }
      return reasons;
    },
  };
}

function judgesOf({ columns }: Contract, rules: readonly Rule[]): FieldJudge[] {
  return Object.values(columns).map((column, index) => {
    const own = rules.filter((rule) => rule.column === index);
    const one = (code: Rule["code"]): readonly Rule[] => own.filter((rule) => rule.code === code);
    const missing = one("missing");
    const valueJudge = judgeOf(column, one);
    return (text) => {
      if (text === "") return missing;
      if (column.type === "text") return none;
      // Where it is not ASCII, more than one reading is possible, a byte order mark for one.
      return /^[\x20-\x7e]+$/.test(text) ? valueJudge(text) : undefined;
    };
  });
}

type OfCode = (code: Rule["code"]) => readonly Rule[];

/** A value that is there, ASCII, of a column that the bytes can tell of. */
function judgeOf(column: Column, one: OfCode): FieldJudge {
  const type = one("type");
  const shaped =
    (shape: RegExp, isValue: (text: string) => boolean | undefined): FieldJudge =>
    (text) => {
      const isGood = shape.test(text) && isValue(text);
      return isGood === undefined ? undefined : isGood ? none : type;
    };
  const { precision = 18, scale = 3 } = column;
  switch (column.type) {
    case "integer":
    case "bigint":
      return wholeJudge(column, one);
    case "double":
      return shaped(
        /^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$/,
        (text) => isShort(text, digitsMax) || undefined,
      );
    case "decimal":
      return shaped(
        new RegExp(`^[+-]?([0-9]+([.][0-9]{0,${scale}}0*)?|[.][0-9]{0,${scale}}0*)$`),
        (text) => isShort(text, precision - scale) || undefined,
      );
    case "date":
      return shaped(/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/, isDay);
    case "timestamp":
      return shaped(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$/, isDay);
    case "uuid":
      return shaped(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, () => true);
    case "text":
    case "boolean":
    case "json":
      return () => undefined;
  }
}

/** So many always fit into 64 bits; the engine looks at longer ones. */
const wholeCharsMax = 18;

function wholeJudge(column: Column, one: OfCode): FieldJudge {
  const bounds = wholeBounds(column);
  if (bounds === undefined) return () => undefined;
  const largest = column.type === "integer" ? 2 ** 31 - 1 : Number.POSITIVE_INFINITY;
  const [type, min, max] = [one("type"), one("min"), one("max")];
  return (text) => {
    if (!/^-?[0-9]+$/.test(text)) return type;
    if (text.length > wholeCharsMax) return undefined;
    // Perhaps rounded, but to the same side of every bound: those are numbers that are held exactly.
    const value = Number(text);
    if (value > largest || value < -largest - 1) return type;
    if (value < bounds.min) return min;
    return value > bounds.max ? max : none;
  };
}

/** Digits that a double always holds. */
const digitsMax = 15;

/** Plain decimal digits, few enough that they fit whatever they are. */
function isShort(text: string, wholeDigits: number): boolean {
  const [, whole = "", fraction = ""] = /^[+-]?([0-9]+)(?:[.]([0-9]+))?$/.exec(text) ?? [];
  return whole !== "" && whole.length <= wholeDigits && fraction.length <= digitsMax;
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Whether a text that begins like 2021-11-07 is a day of the calendar. The year 0 is left to the engine. */
function isDay(text: string): boolean | undefined {
  const [year, month, day] = [text.slice(0, 4), text.slice(5, 7), text.slice(8, 10)].map(Number) as [
    number,
    number,
    number,
  ];
  if (year === 0) return undefined;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const last = month === 2 && isLeap ? 29 : monthDays[month - 1];
  return last !== undefined && day >= 1 && day <= last;
}
