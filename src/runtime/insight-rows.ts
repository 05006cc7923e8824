import { type Insight, insightMistake } from "../core/insight.ts";
import { jsonValue } from "../core/json-value.ts";
import { limit } from "../core/limit.ts";
import type { EngineParameter, EngineRow, EngineValue } from "../ports/engine.ts";
import type { Sink } from "../ports/sink.ts";
import { cellsOf } from "./insight-cells.ts";
import { rowOrder } from "./insight-order.ts";

/** What an insight is asked: values of its parameters by name, as text or null, and how many rows are wanted. */
export interface InsightQuestion {
  readonly insight: Insight;
  readonly values: ReadonlyMap<string, string | null>;
  readonly rowsMax: number;
}

/** The answer has more than `limit.insightBytes`; with fewer rows it would fit. */
export class AnswerTooLarge extends Error {}

/** JSON text of the first rows of the answer. Throws AnswerTooLarge, INSIGHT_INVALID, and what the sink explains. */
export async function readAnswer(sink: Sink, question: InsightQuestion): Promise<Buffer> {
  const { insight, rowsMax } = question;
  const rows = insight.order.length > 0 ? sortedRows(sink, question) : rowsOf(sink, question, rowsMax);
  const texts: string[] = [];
  let bytes = 2;
  for await (const cells of rows) {
    const text = recordText(insight, cells);
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > limit.insightBytes) throw new AnswerTooLarge();
    texts.push(text);
  }
  return Buffer.from(`[${texts.join(",")}]`);
}

function recordText({ columns }: Insight, cells: readonly EngineValue[]): string {
  return JSON.stringify(Object.fromEntries(columns.map(({ name }, index) => [name, jsonValue(cells[index] ?? null)])));
}

async function* sortedRows(sink: Sink, question: InsightQuestion): AsyncIterable<readonly EngineValue[]> {
  const { insight, rowsMax } = question;
  const rows: (readonly EngineValue[])[] = [];
  for await (const cells of rowsOf(sink, question, limit.insightSortedRows + 1)) rows.push(cells);
  if (rows.length > limit.insightSortedRows) {
    const remedy = "Order in the SQL instead of -- order by, or let it answer with fewer rows.";
    throw insightMistake(insight.file, undefined, `it sorts more than ${limit.insightSortedRows} rows`, remedy);
  }
  yield* rows.sort(rowOrder(insight)).slice(0, rowsMax);
}

/** A LIMIT around the query would not promise to keep its order: it stands behind ORDER BY, or rows are counted here. */
async function* rowsOf(sink: Sink, question: InsightQuestion, rowsMax: number): AsyncIterable<readonly EngineValue[]> {
  const { insight, values } = question;
  if (rowsMax === 0) return;
  const sql = insight.limited ? insight.sql : `${insight.sql}\nlimit ${rowsMax}`;
  let count = 0;
  for await (const piece of explained(sink, sql, parametersOf(insight, values))) {
    for (const row of piece) {
      yield cellsOf(insight, row);
      count += 1;
      if (count === rowsMax && insight.limited) return;
    }
  }
}

export function parametersOf({ bindings }: Insight, values: ReadonlyMap<string, string | null>): EngineParameter[] {
  return bindings.map((name) => values.get(name) ?? null);
}

/** The sink's own errors become those with a code; errors of the reader are not touched. */
async function* explained(
  sink: Sink,
  sql: string,
  parameters: readonly EngineParameter[],
): AsyncIterable<readonly EngineRow[]> {
  try {
    yield* sink.query(sql, parameters);
  } catch (error) {
    throw sink.explain(error);
  }
}
