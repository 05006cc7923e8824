import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { lineageColumn } from "../core/lineage.ts";
import type { Reject } from "../core/reject.ts";
import { type FailureKind, passes } from "../core/retry.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Appendable, LogRecord } from "../ports/log.ts";
import type { ValueFormat } from "../ports/messages.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { PreparedTarget, Sink, SinkBatch, SinkFacts, Target, Unit, WriteResult } from "../ports/sink.ts";
import { logRows } from "./log-rows.ts";
import { laneMark, messageIdText } from "./message-id.ts";

export interface LogSinkOptions {
  readonly log: Appendable;
  /** Keeps position, rejects and ledger. Its facts say `elsewhere`. */
  readonly state: Sink;
  /** What the values are, such as `one JSON object`. */
  readonly shownValue: string;
  /** How rows of the table become values. */
  readonly values: (table: string, columns: readonly SinkColumn[]) => ValueFormat;
  /** Called before the state is opened to be written to. */
  readonly makeRoom?: () => Promise<void>;
  readonly context: Pick<AdapterContext, "engine" | "now">;
}

/**
 * A log as a sink: rows go into the log, and what is known of them into another sink, as a log has no transactions. A batch
 * passes the fence in a transaction of that sink, is appended, and when every record of it is confirmed the transaction
 * commits. A crash between the two has the batch appended again under the same ids, by which its reader knows the
 * repeats. Throws GUARANTEE_UNMET when the other sink keeps nothing but its own rows.
 */
export function logSink(options: LogSinkOptions): Sink {
  const { log, state } = options;
  if (state.facts.elsewhere === true) return new LogSink(options);
  throw new MillraceError(
    "GUARANTEE_UNMET",
    `${state.shown} cannot keep the position of rows that go to ${log.shown}`,
    {
      remedy: "Name another sink for it with the option state (--state URL), such as duckdb:PATH or postgres://….",
    },
  );
}

class LogSink implements Sink {
  readonly shown: string;
  readonly facts: SinkFacts;
  readonly #options: LogSinkOptions;
  /** Failures of the log, which it alone can judge. */
  readonly #ofLog = new WeakSet<Error>();
  /** Failures of what makes values. */
  readonly #ofValues = new WeakSet<Error>();
  /** By table and columns. */
  readonly #values = new Map<string, ValueFormat>();

  constructor(options: LogSinkOptions) {
    const { log, state } = options;
    this.#options = options;
    this.shown = log.shown;
    this.facts = {
      guarantee: "exactly once at the final sink",
      how: `Rows are confirmed, then rejects, ledger and position commit in ${state.shown}; what is appended again after a crash has the same ids, by which the pipeline that reads it drops repeats.`,
      modes: ["append"],
      takes: "relation",
      unitsMax: state.facts.unitsMax,
      wholeFileUnits: false,
      serials: false,
      elsewhere: true,
    };
  }

  get records() {
    return this.#options.state.records;
  }

  async open(use: "write" | "read" = "write"): Promise<void> {
    const { log, state, makeRoom } = this.#options;
    if (use === "write") {
      await makeRoom?.();
      await this.#asked(() => log.open());
    }
    await state.open(use);
  }

  ddl(target: Target): string {
    const names = target.columns.map(({ name, type }) => `${JSON.stringify(name)}: ${type}`);
    return `-- ${this.#options.shownValue} a row is appended to ${this.shown}\n-- { ${names.join(", ")} }`;
  }

  async prepare(target: Target): Promise<PreparedTarget> {
    await this.#options.state.prepare(elsewhere(target));
    return { created: false, lineage: false, ddl: this.ddl(target) };
  }

  define(...of: Parameters<Sink["define"]>) {
    return this.#options.state.define(...of);
  }

  claim(...of: Parameters<Sink["claim"]>) {
    return this.#options.state.claim(...of);
  }

  checkpoint(...of: Parameters<Sink["checkpoint"]>) {
    return this.#options.state.checkpoint(...of);
  }

  trim(...of: Parameters<Sink["trim"]>) {
    return this.#options.state.trim(...of);
  }

  reserveBatches(count: number) {
    return this.#options.state.reserveBatches(count);
  }

  async begin(target: Target): Promise<Unit> {
    const { state, log, context } = this.#options;
    const unit = await state.begin(elsewhere(target));
    return {
      write: async (batch) => {
        const sent = await sentBatch(batch, target, this.#valuesOf(target, batch.rows.columns), {
          valueBytesMax: log.facts.valueBytesMax,
          context,
        });
        const result = await unit.write(sent.batch);
        for (const records of piecesOf(sent.records)) await this.#asked(() => log.append(records));
        return { ...result, refused: sent.refused.slice(0, limit.rejectsShown) } satisfies WriteResult;
      },
      commit: () => unit.commit(),
      rollback: () => unit.rollback(),
    };
  }

  query(...of: Parameters<Sink["query"]>) {
    return this.#options.state.query(...of);
  }

  /** Whoever shares the state shares all that one process alone can hold. */
  async share(): Promise<void> {
    await this.#options.state.share?.();
  }

  classify(error: unknown): FailureKind {
    const { log, state } = this.#options;
    if (error instanceof MillraceError && this.#ofValues.has(error)) return passes(error.code) ? "wait" : "stop";
    return error instanceof Error && this.#ofLog.has(error) ? log.classify(error) : state.classify(error);
  }

  explain(error: unknown): Error {
    const { log, state } = this.#options;
    if (error instanceof MillraceError && this.#ofValues.has(error)) return error;
    return error instanceof Error && this.#ofLog.has(error) ? log.explain(error) : state.explain(error);
  }

  async close(): Promise<void> {
    const { log, state } = this.#options;
    try {
      await log.close();
    } finally {
      await state.close();
    }
  }

  #valuesOf({ table }: Target, columns: readonly SinkColumn[]): ValueFormat {
    const name = JSON.stringify([table, columns]);
    const known = this.#values.get(name);
    if (known !== undefined) return known;
    const values = this.#options.values(table, columns);
    const told: ValueFormat = { encode: (rows) => marked(values.encode(rows), this.#ofValues) };
    this.#values.set(name, told);
    return told;
  }

  #asked<Result>(work: () => Promise<Result>): Promise<Result> {
    return marked(work(), this.#ofLog);
  }
}

/** What it fails with is among `failures` then. */
async function marked<Result>(work: Promise<Result>, failures: WeakSet<Error>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error) failures.add(error);
    throw error;
  }
}

/** The target as the sink of the state takes it. */
function elsewhere({ serial: _, ...target }: Target): Target {
  return { ...target, mode: "append", lineage: false, elsewhere: true };
}

/** A batch's rows as records, and the batch as the sink of the state takes it. */
interface Sent {
  readonly records: readonly LogRecord[];
  readonly refused: readonly Reject[];
  readonly batch: SinkBatch;
}

/** Rows that the log cannot take become rejects; the others are records with ids that are the same each time. */
async function sentBatch(
  batch: SinkBatch,
  target: Target,
  values: ValueFormat,
  { valueBytesMax, context }: Pick<LogSinkOptions, "context"> & { readonly valueBytesMax: number },
): Promise<Sent> {
  const mark = laneMark(batch.claim.pipeline, batch.claim.lane);
  const timeMs = context.now();
  const records: LogRecord[] = [];
  const refused: Reject[] = [];
  if (batch.rows.count > 0) {
    for await (const piece of logRows(batch.rows, { key: target.key, values, engine: context.engine })) {
      for (const { row, key, value } of piece) {
        const id = messageIdText({ mark, row: rowInLane(batch, row) });
        const { length } = value;
        if (length > valueBytesMax) refused.push(batch.refuse(row, tooLarge(length, valueBytesMax)));
        else records.push({ id, value, timeMs, ...(key === undefined ? {} : { key }) });
      }
    }
  }
  const rejects = [...batch.rejects, ...refused].sort((a, b) => a.record - b.record);
  return { records, refused, batch: { ...batch, rows: { ...batch.rows, count: records.length }, rejects } };
}

/** Where the row's record lies in its lane; a reject that is replayed lies where its number says. */
function rowInLane({ start, rows, replays }: SinkBatch, row: number): number {
  const record = rows.recordOf(row);
  if (record < 0) throw untraceable();
  const replay = replays?.[record];
  return replay === undefined ? start.row + record : Number(replay);
}

function untraceable(): MillraceError {
  return new MillraceError("STEP_FAILED", "A row that goes into a log cannot be traced to its record", {
    remedy: `Repeats are known by the record: let the SQL steps hand the column ${lineageColumn} on (select * does).`,
  });
}

function tooLarge(bytes: number, bytesMax: number) {
  return { code: "refused", message: `the row has ${bytes} bytes, and ${bytesMax} can be taken` } as const;
}

/** Pieces that a log takes at once: a queue before it is bounded. */
function* piecesOf(records: readonly LogRecord[]): Generator<readonly LogRecord[]> {
  let start = 0;
  let bytes = 0;
  for (const [index, { value }] of records.entries()) {
    if (index > start && bytes + value.length > limit.logAppendBytes) {
      yield records.slice(start, index);
      start = index;
      bytes = 0;
    }
    bytes += value.length;
  }
  if (start < records.length) yield records.slice(start);
}
