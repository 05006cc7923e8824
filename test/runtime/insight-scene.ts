import type { Insight } from "../../src/core/insight.ts";
import { parseInsight } from "../../src/core/insight-parser.ts";
import type { LedgerEntry } from "../../src/core/ledger.ts";
import type { EngineParameter, EngineRow } from "../../src/ports/engine.ts";
import type { LedgerFilter, Sink } from "../../src/ports/sink.ts";
import { Insights } from "../../src/runtime/insights.ts";

export const insightOf = (text: string, name = "ONE"): Insight => parseInsight(text, name, `${name}.sql`);

/** The records of an answer. */
export function recordsOf({ body }: { readonly body: Buffer }): Record<string, unknown>[] {
  return JSON.parse(body.toString("utf8")) as Record<string, unknown>[];
}

/** A promise that is settled by hand, and tells when it is waited for. */
export class Gate {
  readonly #opened = Promise.withResolvers<void>();
  readonly #reached = Promise.withResolvers<void>();
  readonly open = (): void => this.#opened.resolve();
  readonly reached = (): Promise<void> => this.#reached.promise;
  async pass(): Promise<void> {
    this.#reached.resolve();
    await this.#opened.promise;
  }
}

/** What insights use of a sink, in memory: every step can be held up, counted, and made to fail. */
export class PlainSink {
  /** Batches by table, in the order of their commits. */
  readonly batches = new Map<string, bigint[]>();
  rows: readonly EngineRow[] = [];
  /** Thrown by whatever the sink is asked next. */
  failure: Error | undefined;
  /** Passed by each query once it has seen its rows, and by each look at the ledger once it has seen its entries. */
  atQuery: Gate | undefined;
  atLook: Gate | undefined;
  queries = 0;
  looks = 0;
  lastSql = "";
  lastParameters: readonly EngineParameter[] = [];
  /** Pieces of rows that were read to the end of the loop. */
  pieces = 0;

  commit(table: string, batch: bigint): void {
    const batches = this.batches.get(table) ?? [];
    this.batches.set(table, [...batches, batch]);
  }

  get sink(): Sink {
    const part: Pick<Sink, "shown" | "query" | "explain"> & { readonly records: Pick<Sink["records"], "ledger"> } = {
      shown: "plain:",
      query: (sql, parameters) => this.#query(sql, parameters ?? []),
      explain: (error) => new Error(`explained: ${(error as Error).message}`, { cause: error }),
      records: { ledger: (filter) => this.#ledger(filter) },
    };
    return part as Sink;
  }

  async *#query(sql: string, parameters: readonly EngineParameter[]): AsyncIterable<readonly EngineRow[]> {
    this.queries += 1;
    this.lastSql = sql;
    this.lastParameters = parameters;
    const { rows, failure } = this;
    await this.atQuery?.pass();
    if (failure !== undefined) throw failure;
    for (const row of rows) {
      yield [row];
      this.pieces += 1;
    }
  }

  async #ledger({ table = "", limit }: LedgerFilter): Promise<LedgerEntry[]> {
    this.looks += 1;
    const { failure } = this;
    const newest = (this.batches.get(table) ?? []).toSorted((a, b) => (a < b ? 1 : -1)).slice(0, limit);
    await this.atLook?.pass();
    if (failure !== undefined) throw failure;
    return newest.map((batch) => ({ batch }) as LedgerEntry);
  }
}

/** Insights over a plain sink, with a clock that is set by hand. */
export class PlainScene {
  readonly plain = new PlainSink();
  readonly insights: Insights;
  nowMs = 1_000_000;

  constructor(...insights: readonly Insight[]) {
    this.insights = new Insights({ insights, sink: this.plain.sink, now: () => this.nowMs });
  }
}

/** Lets everything run that waits for nothing from outside. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
