import type { Column } from "../core/contract.ts";

/**
 * An automaton over bytes that tells lines which meet a contract for sure from lines that need a look. It only knows
 * the plain spellings that nearly all values have, and takes one pass over the bytes; whatever it does not know is left
 * to the engine, so that it can accept nothing that the engine refuses.
 */
export interface LineShape {
  /** By state and byte, `state * 256 + byte`, the next state times 256. `lineGood` and `lineDoubtful` begin a line. */
  readonly next: Int32Array;
}

const byteValues = 256;
/** States of the table: a line is about to begin, and the one before it was good or doubtful. */
const lineGood = 0;
const lineDoubtful = byteValues;
const newline = 10;
const carriageReturn = 13;
const quoteMark = 34;

/** Those that no spelling known here holds within. */
const plainDelimiters = [",", ";", "|", "\t"];

/** The shape of lines of these columns; undefined where a column has rules that bytes alone cannot tell. */
export function lineShape(columns: readonly Column[], delimiter: string): LineShape | undefined {
  const fields = columns.map(fieldOf);
  if (fields.length === 0 || !plainDelimiters.includes(delimiter)) return undefined;
  if (!fields.every((field) => field !== undefined)) return undefined;
  const states = new States();
  let start = good;
  fields.forEach((field, index) => {
    const ends = [...field(states, start, delimiter), ...(columns[index]?.nullable === true ? [start] : [])];
    if (index < fields.length - 1) {
      start = states.add();
      for (const end of ends) states.link(end, delimiter, start);
      return;
    }
    const returned = states.add();
    states.linkByte(returned, newline, good);
    for (const end of ends) {
      states.linkByte(end, newline, good);
      states.linkByte(end, carriageReturn, returned);
    }
  });
  return { next: states.table() };
}

/**
 * Indexes of the lines that are not good for sure, in order; undefined when there are not `count` lines. Two halves at a
 * time: the processor mostly waits for the next state, and looks up that of the other half meanwhile.
 */
export function doubtfulLines({ next }: LineShape, text: Uint8Array, count: number): number[] | undefined {
  const middle = text.lastIndexOf(newline, text.length >> 1) + 1;
  const both = Math.min(middle, text.length - middle);
  const first: number[] = [];
  const second: number[] = [];
  let [state, line] = [lineGood, 0];
  let [stateAhead, lineAhead] = [lineGood, 0];
  for (let at = 0; at < both; at += 1) {
    state = next[state | (text[at] as number)] as number;
    stateAhead = next[stateAhead | (text[middle + at] as number)] as number;
    if (state <= lineDoubtful) {
      if (state === lineDoubtful) first.push(line);
      line += 1;
    }
    if (stateAhead <= lineDoubtful) {
      if (stateAhead === lineDoubtful) second.push(lineAhead);
      lineAhead += 1;
    }
  }
  line = scanRest(next, text.subarray(both, middle), state, line, first);
  lineAhead = scanRest(next, text.subarray(middle + both), stateAhead, lineAhead, second);
  if (line + lineAhead !== count) return undefined;
  for (const ahead of second) first.push(line + ahead);
  return first;
}

/** Goes on from a state to the end; gives the number of lines then, a last one without its end among them. */
function scanRest(next: Int32Array, text: Uint8Array, from: number, before: number, doubtful: number[]): number {
  let state = from;
  let line = before;
  for (let at = 0; at < text.length; at += 1) {
    state = next[state | (text[at] as number)] as number;
    if (state > lineDoubtful) continue;
    if (state === lineDoubtful) doubtful.push(line);
    line += 1;
  }
  if (state <= lineDoubtful) return line;
  doubtful.push(line);
  return line + 1;
}

/** Numbers of the first states. */
const [good, doubtful, doubt] = [0, 1, 2];

class States {
  readonly #links: Map<number, number>[] = [];

  constructor() {
    for (let state = good; state <= doubt; state += 1) this.add();
  }

  add(): number {
    this.#links.push(new Map());
    return this.#links.length - 1;
  }

  /** From `from` each of the characters leads to `to`. */
  link(from: number, chars: string, to: number): void {
    for (let at = 0; at < chars.length; at += 1) this.linkByte(from, chars.charCodeAt(at), to);
  }

  linkByte(from: number, byte: number, to: number): void {
    this.#links[from]?.set(byte, to);
  }

  /** A new state behind each of `from`. */
  step(from: readonly number[], chars: string): number {
    const to = this.add();
    for (const state of from) this.link(state, chars, to);
    return to;
  }

  /** Whatever is not linked leads to doubt until the line ends. A line begins the same whatever came before it. */
  table(): Int32Array {
    const next = new Int32Array(this.#links.length * byteValues).fill(doubt * byteValues);
    this.#links.forEach((links, state) => {
      next[state * byteValues + newline] = lineDoubtful;
      for (const [byte, to] of state === doubtful ? (this.#links[good] ?? []) : links) {
        next[state * byteValues + byte] = to * byteValues;
      }
    });
    return next;
  }
}

/** Links the states of a field's plain spellings from `start` on; gives the states in which the field may end. */
type Field = (states: States, start: number, delimiter: string) => readonly number[];

/** Rules that only the engine knows; of bounds it depends on the type. */
const ruled = ["minLength", "maxLength", "pattern", "oneOf"] as const;
const digit = "0123456789";

/** Bounds of a whole number, infinite where there are none; undefined for those that only the engine reads. */
export function wholeBounds({ type, min, max }: Column): { readonly min: number; readonly max: number } | undefined {
  const largest = type === "integer" ? 2 ** 31 - 1 : Number.MAX_SAFE_INTEGER;
  const isPlain = (bound: string | number): boolean =>
    /^-?[0-9]+$/.test(String(bound)) && Math.abs(Number(bound)) <= largest;
  if (![min, max].every((bound) => bound === undefined || isPlain(bound))) return undefined;
  return { min: Number(min ?? Number.NEGATIVE_INFINITY), max: Number(max ?? Number.POSITIVE_INFINITY) };
}

function fieldOf(column: Column): Field | undefined {
  if (ruled.some((rule) => column[rule] !== undefined)) return undefined;
  const isBounded = column.min !== undefined || column.max !== undefined;
  // Nine and eighteen digits fit into 32 and 64 bits whatever they are.
  if (column.type === "integer") return isBounded ? bounded(column, 9) : number(9, 0);
  if (column.type === "bigint") return isBounded ? bounded(column, 15) : number(18, 0);
  if (isBounded) return undefined;
  switch (column.type) {
    case "text":
      return anyText;
    case "double":
      return number(15, 15);
    case "decimal":
      return number((column.precision ?? 18) - (column.scale ?? 3), column.scale ?? 3);
    case "date":
      return column.format === undefined ? (states, start) => [day(states, start)] : undefined;
    case "timestamp":
      return column.format === "%Y-%m-%dT%H:%M:%SZ" ? utcTime : undefined;
    case "uuid":
      return uuid;
    default:
      return undefined;
  }
}

/** As many digits as lie within the bounds whatever they are, on either side of zero; it stays in doubt who has more. */
function bounded(column: Column, digits: number): Field | undefined {
  const bounds = wholeBounds(column);
  if (bounds === undefined) return undefined;
  const fitting = (bound: number): number => (bound < 0 ? 0 : Math.min(digits, String(bound + 1).length - 1));
  const above = bounds.max === Number.POSITIVE_INFINITY ? digits : fitting(bounds.max);
  const below = bounds.min === Number.NEGATIVE_INFINITY ? digits : fitting(-bounds.min);
  if (bounds.min > 0 || above === 0) return undefined;
  return (states, start) => {
    const ends = digitsFrom(states, [start], above);
    return below === 0 ? ends : [...ends, ...digitsFrom(states, [states.step([start], "-")], below)];
  };
}

/** States behind one to `most` digits. */
function digitsFrom(states: States, start: readonly number[], most: number): number[] {
  const ends: number[] = [];
  for (let from = start, n = 0; n < most; n += 1) {
    from = [states.step(from, digit)];
    ends.push(...from);
  }
  return ends;
}

function anyText(states: States, start: number, delimiter: string): readonly number[] {
  const inside = states.add();
  for (let byte = 1; byte < byteValues; byte += 1) {
    if ([newline, carriageReturn, quoteMark, delimiter.charCodeAt(0)].includes(byte)) continue;
    states.linkByte(start, byte, inside);
    states.linkByte(inside, byte, inside);
  }
  return [inside];
}

/** Digits, perhaps with a minus, and perhaps up to `fraction` of them behind a point. */
const number =
  (whole: number, fraction: number): Field =>
  (states, start) => {
    const signed = states.step([start], "-");
    const ends = digitsFrom(states, [start, signed], whole);
    if (fraction === 0 || ends.length === 0) return ends;
    let last = states.step(ends, ".");
    for (let n = 0; n < fraction; n += 1) {
      last = states.step([last], digit);
      ends.push(last);
    }
    return ends;
  };

/** One step for each text of characters: what may stand at each place. */
function places(states: States, start: number, chars: readonly string[]): number {
  return chars.reduce((state, allowed) => states.step([state], allowed), start);
}

/** A day that is in the calendar whatever the year: the 29th of February is left to the engine. */
function day(states: States, start: number): number {
  const year = places(states, start, ["123456789", digit, digit, digit, "-"]);
  const low = states.step([year], "0");
  const high = states.step([year], "1");
  const long = states.add();
  const short = states.add();
  const february = states.step([low], "2");
  states.link(low, "13578", long);
  states.link(high, "02", long);
  states.link(low, "469", short);
  states.link(high, "1", short);
  const end = states.add();
  monthDays(states, states.step([long], "-"), "12", { "3": "01" }, end);
  monthDays(states, states.step([short], "-"), "12", { "3": "0" }, end);
  monthDays(states, states.step([february], "-"), "1", { "2": "012345678" }, end);
  return end;
}

/** `full` are first digits that any second may follow; `last` says which may follow others. */
function monthDays(
  states: States,
  from: number,
  full: string,
  last: Readonly<Record<string, string>>,
  end: number,
): void {
  states.link(states.step([from], "0"), "123456789", end);
  states.link(states.step([from], full), digit, end);
  for (const [first, seconds] of Object.entries(last)) states.link(states.step([from], first), seconds, end);
}

function utcTime(states: States, start: number): readonly number[] {
  const hour = states.step([day(states, start)], "T");
  const hours = states.add();
  states.link(states.step([hour], "01"), digit, hours);
  states.link(states.step([hour], "2"), "0123", hours);
  return [places(states, hours, [":", "012345", digit, ":", "012345", digit, "Z"])];
}

function uuid(states: States, start: number): readonly number[] {
  const hex = `${digit}abcdefABCDEF`;
  const group = (length: number): string[] => Array.from({ length }, () => hex);
  const groups = [8, 4, 4, 4, 12].map(group);
  return [
    places(
      states,
      start,
      groups.flatMap((chars, index) => (index === 0 ? chars : ["-", ...chars])),
    ),
  ];
}
