import { bigint, boolean, type ColumnBuilder, double, integer, json, text, timestamp, uuid } from "../../src/index.ts";

/** A value of a row, as JSON has it; a whole number too large for JavaScript is its digits as a bigint. */
export type Cell = null | boolean | number | bigint | string | object;

/** From the narrowest to the widest; text holds everything. */
const kinds = ["boolean", "integer", "bigint", "double", "uuid", "timestamp", "json", "text"] as const;
export type Kind = (typeof kinds)[number];

const tests: Readonly<Record<Exclude<Kind, "text">, (value: Exclude<Cell, null>) => boolean>> = {
  boolean: (value) => typeof value === "boolean" || value === "true" || value === "false",
  integer: (value) => isWhole(value, 31n),
  bigint: (value) => isWhole(value, 63n),
  double: isDouble,
  uuid: (value) => typeof value === "string" && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value),
  timestamp: (value) => typeof value === "string" && isMoment(value),
  json: isJson,
};

/** A code such as 007, or +7, is no number: it would not come back as it was. */
function isWhole(value: Exclude<Cell, null>, bits: bigint): boolean {
  if (typeof value === "number")
    return Number.isSafeInteger(value) && !Object.is(value, -0) && within(BigInt(value), bits);
  if (typeof value === "bigint") return within(value, bits);
  return typeof value === "string" && /^(0|-?[1-9]\d{0,18})$/.test(value) && within(BigInt(value), bits);
}

const within = (value: bigint, bits: bigint): boolean => value >= -(2n ** bits) && value < 2n ** bits;

/** A text is a number where it is written as the number would be. */
function isDouble(value: Exclude<Cell, null>): boolean {
  if (typeof value === "number") return true;
  return (
    typeof value === "string" &&
    /^-?\d/.test(value) &&
    Number.isFinite(Number(value)) &&
    String(Number(value)) === value
  );
}

const moment = /^(\d{4})-(\d\d)-(\d\d)[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)?$/;

function isMoment(value: string): boolean {
  const found = moment.exec(value);
  if (found === null) return false;
  const [year, month, day] = [Number(found[1]), Number(found[2]), Number(found[3])];
  if (day >= 1 && day <= 28 && month >= 1 && month <= 12) return year > 0;
  // The last days of a month: whether it has them.
  return (
    year > 0 &&
    new Date(Date.UTC(2000 + (year % 400), month - 1, day)).getUTCDate() === day &&
    month >= 1 &&
    month <= 12 &&
    day >= 1
  );
}

/** Objects and lists alone: a text that is a number is more likely one that belongs among texts. */
function isJson(value: Exclude<Cell, null>): boolean {
  if (typeof value === "object") return true;
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return false;
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}

/** Which kinds hold all values of a column that were seen. */
export class Evidence {
  #left: readonly Exclude<Kind, "text">[] = kinds.filter((kind) => kind !== "text");
  #seen = false;

  see(value: Cell): void {
    if (value === null) return;
    this.#seen = true;
    // Most columns have one kind left soon, and most values are of it.
    if (this.#left.length > 0 && !this.#left.every((kind) => tests[kind](value))) {
      this.#left = this.#left.filter((kind) => tests[kind](value));
    }
  }

  /** The narrowest that holds all; a column without any value is text. */
  get kind(): Kind {
    return this.#seen ? (this.#left[0] ?? "text") : "text";
  }
}

/** Whole numbers in one another, and in doubles. */
const numbers: readonly Kind[] = ["integer", "bigint", "double"];

/** The narrowest kind that holds what both hold. */
export function widest(a: Kind, b: Kind): Kind {
  if (a === b) return a;
  const [first, second] = [numbers.indexOf(a), numbers.indexOf(b)];
  return first < 0 || second < 0 ? "text" : (numbers[Math.max(first, second)] ?? "text");
}

/** Kinds that a key may be of. */
export function keyKind(kind: Kind): Kind {
  return kind === "integer" || kind === "bigint" || kind === "uuid" ? kind : "text";
}

const builders: Readonly<Record<Kind, () => ColumnBuilder<unknown>>> = {
  ...{ boolean, integer, bigint, double, uuid, json, text },
  timestamp: () => timestamp(),
};

export function columnOf(kind: Kind): ColumnBuilder<unknown> {
  return builders[kind]();
}
