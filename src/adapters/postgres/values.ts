import { types as pgTypes } from "pg";
import type { EngineValue } from "../../ports/engine.ts";

type Parse = (text: string) => EngineValue;

const parsers = new Map<number, Parse>([
  [16, (text) => text === "t"], // bool
  [17, (text) => parseBytea(text)],
  [20, BigInt], // int8
  [21, Number], // int2
  [23, Number], // int4
  [26, Number], // oid
  [700, Number], // float4
  [701, Number], // float8
  [114, (text) => JSON.parse(text) as EngineValue], // json
  [3802, (text) => JSON.parse(text) as EngineValue], // jsonb
  [1114, (text) => isoTimestamp(text)],
  [1184, (text) => isoTimestamp(text)], // timestamptz, of a session in UTC
]);

/** Lists of these elements are read as lists; of others as PostgreSQL writes them. */
const listElements = new Map<number, number>([
  [1000, 16],
  [1005, 21],
  [1007, 23],
  [1009, 25],
  [1015, 1043],
  [1016, 20],
  [1021, 700],
  [1022, 701],
  [1231, 1700],
  [2951, 2950],
]);

/** `2021-11-07 02:48:42+00` → `2021-11-07T02:48:42Z`; `infinity` and years BC stay as they are. */
function isoTimestamp(text: string): string {
  return /^\d{4,}-/.test(text) ? text.replace(" ", "T").replace(/\+00$/, "Z") : text;
}

function parseBytea(text: string): Uint8Array {
  return Buffer.from(text.slice(2), "hex");
}

const listOfText = pgTypes.getTypeParser(1009 as number, "text") as (text: string) => unknown;

function parseList(text: string, parse: Parse): EngineValue {
  const read = (item: unknown): EngineValue => {
    if (Array.isArray(item)) return item.map(read);
    return typeof item === "string" ? parse(item) : null;
  };
  return read(listOfText(text));
}

/** How values of a result are read: bigint for int8, exact text for numeric and times, never a Date. */
export const resultTypes = {
  getTypeParser(oid: number): Parse {
    const parse = parsers.get(oid);
    if (parse !== undefined) return parse;
    const element = listElements.get(oid);
    if (element === undefined) return (text) => text;
    const parseElement = parsers.get(element) ?? ((text: string) => text);
    return (text) => parseList(text, parseElement);
  },
};
