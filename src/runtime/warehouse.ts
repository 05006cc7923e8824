import type { Contract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import type { Mode, Pipeline } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import type { Sink } from "../ports/sink.ts";
import type { OnEvent } from "./events.ts";
import { Intake } from "./intake.ts";
import { holdsRecords } from "./schemes.ts";
import type { Session } from "./session.ts";
import { requireContract } from "./target.ts";

/** How rows of a handover meet the table. */
export type IntakeMode = Exclude<Mode, "replace">;

export interface WarehouseOptions {
  readonly url: string;
  readonly contracts: readonly Contract[];
  readonly stateSchema: string | undefined;
  /** Of the application: names of pipelines start with it. */
  readonly name: string;
  readonly onEvent: (pipeline: string) => OnEvent;
  readonly stop: AbortSignal;
}

/** Handovers to one table that are worked on at the same time: while one commits, others are received and checked. */
const intakeLanes = 3;

/**
 * A place of tables that a service holds open: its tables stand, records can be handed over to them, and other processes
 * of this machine reach the place through this one where it can be held by one alone.
 */
export class Warehouse {
  readonly sink: Sink;
  readonly contracts: ReadonlyMap<string, Contract>;
  readonly #session: Session;
  readonly #options: WarehouseOptions;
  readonly #intakes = new Map<string, Promise<Intake>>();

  private constructor(session: Session, sink: Sink, options: WarehouseOptions) {
    this.#session = session;
    this.sink = sink;
    this.#options = options;
    this.contracts = new Map(options.contracts.map((contract) => [contract.table, contract]));
  }

  /** Connects and makes every table stand. Rejects with the sink's error when it stays away for `limit.firstConnectionMs`. */
  static async open(session: Session, options: WarehouseOptions): Promise<Warehouse> {
    requireTables(options.url);
    const sink = await session.sink(options.url, stateOptions(options));
    const warehouse = new Warehouse(session, sink, options);
    for (const { table } of options.contracts) await warehouse.intake(table, "merge");
    await sink.share?.();
    return warehouse;
  }

  /** The intake of a table, opened when first asked for. */
  intake(table: string, mode: IntakeMode): Promise<Intake> {
    const name = `${mode} ${table}`;
    const known = this.#intakes.get(name);
    if (known !== undefined) return known;
    const opening = this.#openIntake(table, mode);
    this.#intakes.set(name, opening);
    opening.catch(() => this.#intakes.delete(name)); // its caller is told; the next one tries again
    return opening;
  }

  async close(): Promise<void> {
    for (const intake of this.#intakes.values()) {
      const opened = await intake.catch(() => undefined); // whoever asked for it was told
      await opened?.close();
    }
    this.#intakes.clear();
  }

  #openIntake(table: string, mode: IntakeMode): Promise<Intake> {
    const { engine, context, budget } = this.#session;
    const pipeline = requireContract(this.#pipeline(table, mode));
    const { onEvent, stop } = this.#options;
    const options = { lanes: intakeLanes, batchBytes: budget.batchBytes, onEvent: onEvent(pipeline.name), stop };
    return Intake.open({ pipeline, sink: this.sink, engine, context }, options);
  }

  #pipeline(table: string, mode: IntakeMode): Pipeline {
    const contract = this.contracts.get(table);
    const sink = { mode, lineage: true, ...stateOptions(this.#options) };
    const name = `${this.#options.name}:upload:${table}`;
    return { kind: "pipeline", name, from: "upload", source: {}, contract, steps: [], to: this.#options.url, sink };
  }
}

/** What is handed over is read again with SQL, which logs and queues do not have. */
function requireTables(url: string): void {
  const place = parsePlace(url);
  if (!holdsRecords(place)) return;
  throw new MillraceError("SCHEME_UNKNOWN", `${place.shown} has records and no tables`, {
    remedy: "Name a database, or a DuckDB file.",
  });
}

function stateOptions({ stateSchema }: WarehouseOptions): { readonly stateSchema?: string } {
  return stateSchema === undefined ? {} : { stateSchema };
}
