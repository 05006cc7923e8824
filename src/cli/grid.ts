import type { EngineRow, EngineValue } from "../ports/engine.ts";
import type { Screen } from "./screen.ts";
import { clip, textWidth, valueText } from "./shown.ts";

export interface GridColumn {
  readonly name: string;
  readonly right?: boolean;
}

const gap = "  ";
const narrowest = 6;
/** A cell of a text that goes to a file is cut here: longer ones are for `--json`. */
const cellCharsMax = 1000;

/** An aligned table of cells, a line each, cut to `columnsMax` terminal columns. Cells hold no control characters. */
export function gridLines(
  columns: readonly GridColumn[],
  rows: readonly (readonly string[])[],
  columnsMax: number | undefined,
): string[] {
  const widths = columns.map(({ name }, index) =>
    Math.min(cellCharsMax, Math.max(textWidth(name), ...rows.map((row) => textWidth(row[index] ?? "")))),
  );
  const shown = fitWidths(widths, columnsMax);
  const line = (cells: readonly string[]): string =>
    shown
      .map((width, index) => padded(cells[index] ?? "", width, columns[index]?.right === true))
      .join(gap)
      .trimEnd();
  const rest = columns.length - shown.length;
  const note = rest === 0 ? [] : [`… and ${rest} more columns: choose fewer, make the terminal wider, or use --json`];
  const header = line(columns.map(({ name }) => name));
  return [header, shown.map((width) => "─".repeat(width)).join(gap), ...rows.map(line), ...note];
}

/** Widths that fit: the widest columns give way first; when even narrow ones do not fit, the last ones are left out. */
function fitWidths(wanted: readonly number[], columnsMax: number | undefined): number[] {
  const widths = [...wanted];
  if (columnsMax === undefined) return widths;
  const total = (): number => widths.reduce((sum, width) => sum + width + gap.length, -gap.length);
  for (let over = total() - columnsMax; over > 0; over = total() - columnsMax) {
    const widest = Math.max(...widths);
    if (widest <= narrowest) break;
    const next = Math.max(narrowest, ...widths.filter((width) => width < widest));
    const many = widths.filter((width) => width === widest).length;
    const narrower = Math.max(next, narrowest, widest - Math.ceil(over / many));
    for (const [index, width] of widths.entries()) if (width === widest) widths[index] = narrower;
  }
  while (widths.length > 1 && total() > columnsMax) widths.pop();
  return widths;
}

function padded(text: string, width: number, right: boolean): string {
  const cut = clip(text, width);
  const space = " ".repeat(Math.max(0, width - textWidth(cut)));
  return right ? space + cut : cut + space;
}

/** Rows of a table or query; numbers stand right. */
export function rowLines(rows: readonly EngineRow[], screen: Screen, names?: readonly string[]): string[] {
  const columns = (names ?? Object.keys(rows[0] ?? {})).map((name) => ({
    name,
    right: rows.every((row) => isNumeric(row[name])),
  }));
  const cells = rows.map((row) => columns.map(({ name }) => valueText(row[name] ?? null)));
  const shown = columns.map(({ name, right }) => ({ name: valueText(name), right }));
  const [header = "", ...others] = gridLines(shown, cells, screen.columns);
  return [screen.style("bold", header), ...others];
}

function isNumeric(value: EngineValue | undefined): boolean {
  return value === undefined || value === null || typeof value === "number" || typeof value === "bigint";
}
