import type { ColumnType } from "./contract.ts";
import type { InsightType } from "./insight.ts";
import { limit } from "./limit.ts";

/** How SQL calls the type, in DuckDB, PostgreSQL and Redshift alike. */
export function sqlTypeOf(type: InsightType): string {
  switch (type.type) {
    case "double":
      return "double precision";
    case "decimal":
      return `decimal(${precisionOf(type)}, ${scaleOf(type)})`;
    case "integer":
    case "bigint":
    case "boolean":
    case "text":
    case "date":
    case "timestamp":
    case "uuid":
    case "json":
      return type.type;
  }
}

const precisionOf = ({ precision = 18 }: InsightType): number => precision;
const scaleOf = ({ scale = 3 }: InsightType): number => scale;

/**
 * The one form of a value of the type, given as text: `+07` is the integer `7`. Undefined when the text is no such value,
 * or would lose something on the way: nothing is rounded, cut or completed.
 */
export function parameterText(type: InsightType, text: string): string | undefined {
  if (text.length > limit.insightValueChars) return undefined;
  if (type.type === "decimal") return decimalText(text, precisionOf(type), scaleOf(type));
  return readers[type.type](text);
}

/** What a value of the type is, for people: `must be …`. */
export function typeWords(type: InsightType): string {
  return type.type === "decimal"
    ? `a number of at most ${precisionOf(type) - scaleOf(type)} digits before and ${scaleOf(type)} after the point`
    : words[type.type];
}

type Reader = (text: string) => string | undefined;

const readers: Readonly<Record<Exclude<ColumnType, "decimal">, Reader>> = {
  integer: (text) => wholeText(text, 31n),
  bigint: (text) => wholeText(text, 63n),
  double: doubleText,
  boolean: (text) => booleans[text.toLowerCase()],
  text: (text) => (text.includes("\0") || !text.isWellFormed() ? undefined : text),
  date: (text) => (dayOf(text) ? text : undefined),
  timestamp: timestampText,
  uuid: (text) => (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : undefined),
  json: jsonText,
};

const words: Readonly<Record<Exclude<ColumnType, "decimal">, string>> = {
  integer: `a whole number from ${-(2 ** 31)} to ${2 ** 31 - 1}`,
  bigint: "a whole number of 64 bits",
  double: "a finite number",
  boolean: "true or false",
  text: `text of at most ${limit.insightValueChars} characters`,
  date: "a day such as 2021-11-07",
  timestamp: "a date and time such as 2021-11-07T02:48:42, in UTC",
  uuid: "a UUID",
  json: `JSON of at most ${limit.insightValueChars} characters`,
};

const booleans: Readonly<Record<string, string>> = Object.assign(Object.create(null) as Record<string, string>, {
  ...{ true: "true", t: "true", yes: "true", y: "true", "1": "true" },
  ...{ false: "false", f: "false", no: "false", n: "false", "0": "false" },
});

function wholeText(text: string, bits: bigint): string | undefined {
  if (!/^[+-]?\d{1,40}$/.test(text)) return undefined;
  const value = BigInt(text.replace("+", ""));
  return value >= -(2n ** bits) && value < 2n ** bits ? String(value) : undefined;
}

function doubleText(text: string): string | undefined {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? String(value) : undefined;
}

function decimalText(text: string, precision: number, scale: number): string | undefined {
  const [, sign = "", before = "", after = ""] = /^([+-]?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(text) ?? [];
  if (!/\d/.test(text) || before.length > precision - scale || after.length > scale) return undefined;
  const digits = `${before === "" ? "0" : before}${after === "" ? "" : `.${after}`}`;
  // What is not a number has no group, and so no digits, which a zero has in the text.
  if (digits === "0" && !/^[+-]?[0.]+$/.test(text)) return undefined;
  return sign === "-" && digits !== "0" ? `-${digits}` : digits;
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Whether the text is a day of the calendar, from year 1 to 9999. */
function dayOf(text: string): boolean {
  const [, year, month, day] = (/^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? []).map(Number);
  if (year === undefined || month === undefined || day === undefined || year === 0) return false;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && isLeap ? 29 : (monthDays[month - 1] ?? 0);
  return day >= 1 && day <= days;
}

const timeShape =
  /^(?<day>[\d-]{10})(?:[T ](?<minute>(?:[01]\d|2[0-3]):[0-5]\d)(?<second>:[0-5]\d(?:\.\d{1,6})?)?Z?)?$/;

function timestampText(text: string): string | undefined {
  const { day = "", minute = "00:00", second = ":00" } = timeShape.exec(text)?.groups ?? {};
  return dayOf(day) ? `${day}T${minute}${second}` : undefined;
}

function jsonText(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  return text.isWellFormed() ? text : undefined;
}
