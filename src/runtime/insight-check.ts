import { quoteIdentifier } from "../core/identifier.ts";
import { MillraceError } from "../core/error.ts";
import { type Insight, type InsightColumn, insightMistake } from "../core/insight.ts";
import { sqlTypeOf } from "../core/insight-value.ts";
import type { EngineParameter, EngineRow, EngineValue } from "../ports/engine.ts";
import type { Sink } from "../ports/sink.ts";
import { cellsOf, otherColumns, wrongType } from "./insight-cells.ts";
import { parametersOf } from "./insight-rows.ts";

/**
 * Tries the insight on the tables without reading rows of them. Throws INSIGHT_INVALID, naming the file, when the place
 * refuses its SQL or one of its tables, or answers with other columns than declared; otherwise the sink's error.
 */
export async function checkInsight(
  sink: Sink,
  insight: Insight,
  standards: ReadonlyMap<string, string | null>,
): Promise<void> {
  const parameters = parametersOf(insight, standards);
  for (const table of insight.tables) await checkTable(sink, insight, table);
  // As it is asked later, with the LIMIT in its place.
  if (!insight.limited) await tryOut(sink, insight, `${insight.sql}\nlimit 0`, parameters);
  const row = await tryOut(sink, insight, probe(insight, "insight.*"), parameters);
  const names = Object.keys(row ?? {});
  if (names.join() !== insight.columns.map(({ name }) => name).join()) throw otherColumns(insight, names);
  await checkTypes(sink, insight, parameters);
}

/** One row of nulls that has the query's columns: without a row nothing would tell their names. */
function probe({ sql }: Insight, select: string): string {
  return `select ${select} from (select 1 as millrace_one) as one left join (\n${sql}\n) as insight on 1 = 0`;
}

async function checkTable(sink: Sink, insight: Insight, table: string): Promise<void> {
  try {
    await firstRow(sink, `select 1 as there from ${quoteIdentifier(table)} where 1 = 0`, []);
  } catch (error) {
    throw refusal(sink, insight, error, `it declares the table ${table}`);
  }
}

/**
 * Types as far as the place tells: each column's null is replaced by a sample of the declared type, which the place
 * refuses when the two do not go together, and which comes out as another type when the column's is wider.
 */
async function checkTypes(sink: Sink, insight: Insight, parameters: readonly EngineParameter[]): Promise<void> {
  // A json is called jsonb in some places, which do not mix.
  const columns = insight.columns.filter(({ type }) => type !== "json");
  if (columns.length === 0) return;
  try {
    await checkSamples(sink, { ...insight, columns }, parameters);
  } catch (error) {
    for (const column of columns) {
      try {
        await checkSamples(sink, { ...insight, columns: [column] }, parameters);
      } catch (cause) {
        if (cause instanceof MillraceError && cause.code === "INSIGHT_INVALID") throw cause;
        const explained = sink.explain(cause);
        throw isRefusal(explained) ? wrongType(insight, column, explained.message) : explained;
      }
    }
    throw refusal(sink, insight, error, "its columns do not have the types declared");
  }
}

async function checkSamples(sink: Sink, insight: Insight, parameters: readonly EngineParameter[]): Promise<void> {
  const samples = insight.columns.map((column) => {
    const name = quoteIdentifier(column.name);
    return `coalesce(insight.${name}, cast('${sampleOf(column)}' as ${sqlTypeOf(column)})) as ${name}`;
  });
  const row = await firstRow(sink, probe(insight, samples.join(", ")), parameters);
  if (row === undefined) return;
  cellsOf(insight, row);
  for (const column of insight.columns) {
    const wider = widerType(column, row[column.name] ?? null);
    if (wider !== undefined) throw wrongType(insight, column, `it is ${wider}`);
  }
}

function sampleOf({ type }: InsightColumn): string {
  const samples: Partial<Record<InsightColumn["type"], string>> = {
    boolean: "true",
    text: "x",
    date: "2021-11-07",
    timestamp: "2021-11-07T02:48:42",
    uuid: "6f9619ff-8b86-4011-b42d-00c04fc964ff",
  };
  return samples[type] ?? "1";
}

/** Whole numbers of 64 bits come as bigint and decimals as text, unless the column made doubles of them. */
function widerType({ type }: InsightColumn, value: EngineValue): string | undefined {
  return (type === "bigint" || type === "decimal") && typeof value === "number" ? "double" : undefined;
}

async function tryOut(
  sink: Sink,
  insight: Insight,
  sql: string,
  parameters: readonly EngineParameter[],
): Promise<EngineRow | undefined> {
  try {
    return await firstRow(sink, sql, parameters);
  } catch (error) {
    throw refusal(sink, insight, error, "its SQL");
  }
}

async function firstRow(
  sink: Sink,
  sql: string,
  parameters: readonly EngineParameter[],
): Promise<EngineRow | undefined> {
  let first: EngineRow | undefined;
  for await (const [row] of sink.query(sql, parameters)) first ??= row;
  return first;
}

/** What the place refuses is the insight's fault; that it is away, busy or full is not. */
function refusal(sink: Sink, insight: Insight, error: unknown, what: string): Error {
  if (error instanceof MillraceError && error.code === "INSIGHT_INVALID") return error;
  const explained = sink.explain(error);
  if (!isRefusal(explained)) return explained;
  const remedy = "Mend the SQL. The tables that it reads must be there before it is checked: a load creates them.";
  return insightMistake(insight.file, undefined, `${what} is refused: ${explained.message}`, remedy, error);
}

function isRefusal(error: Error): boolean {
  return error instanceof MillraceError && error.code === "SINK_REFUSED";
}
