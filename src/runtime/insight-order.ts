import type { Insight } from "../core/insight.ts";
import type { EngineValue } from "../ports/engine.ts";

/** How two rows, as `cellsOf` gives them, stand to each other: by the columns of `order`, nulls last. */
export function rowOrder({
  columns,
  order,
}: Insight): (a: readonly EngineValue[], b: readonly EngineValue[]) => number {
  const keys = order.map(({ column, descending }) => ({
    index: columns.findIndex(({ name }) => name === column),
    descending,
  }));
  return (a, b) => {
    for (const { index, descending } of keys) {
      const result = compareCells(a[index] ?? null, b[index] ?? null, descending);
      if (result !== 0) return result;
    }
    return 0;
  };
}

function compareCells(a: EngineValue, b: EngineValue, descending: boolean): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const result = typeof a === "string" && typeof b === "string" ? compareTexts(a, b) : Number(a > b) - Number(a < b);
  return descending ? -result : result;
}

/** By code points, which is the order of the bytes in UTF-8, and no language's. JavaScript's own is that of UTF-16. */
export function compareTexts(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let at = 0; at < end; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** Halves of a pair stand for code points above all others, also above those from U+E000 to U+FFFF. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
