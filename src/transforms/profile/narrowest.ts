/** Bytes of one value in the engine's types; a text takes what is beyond twelve characters besides. */
const widths: Readonly<Record<string, number>> = {
  BOOLEAN: 1,
  TINYINT: 1,
  UTINYINT: 1,
  SMALLINT: 2,
  USMALLINT: 2,
  INTEGER: 4,
  UINTEGER: 4,
  FLOAT: 4,
  DATE: 4,
  BIGINT: 8,
  UBIGINT: 8,
  DOUBLE: 8,
  TIMESTAMP: 8,
  UUID: 16,
  HUGEINT: 16,
  VARCHAR: 16,
};

/** Characters of a text that its sixteen bytes hold. */
export const inlineTextBytes = 12;

export function widthOf(type: string): number {
  const decimal = /^DECIMAL\((\d+),/.exec(type);
  if (decimal !== null) return decimalWidth(Number(decimal[1]));
  if (type.startsWith("TIMESTAMP")) return 8;
  return widths[type] ?? 16;
}

function decimalWidth(precision: number): number {
  if (precision <= 4) return 2;
  if (precision <= 9) return 4;
  return precision <= 18 ? 8 : 16;
}

const wholeTypes: readonly (readonly [string, bigint])[] = [
  ["TINYINT", 7n],
  ["SMALLINT", 15n],
  ["INTEGER", 31n],
  ["BIGINT", 63n],
];

/** The narrowest type of whole numbers between these bounds. */
export function wholeType(min: bigint, max: bigint): string {
  const fitting = wholeTypes.find(([, bits]) => min >= -(2n ** bits) && max < 2n ** bits);
  return fitting?.[0] ?? "HUGEINT";
}
