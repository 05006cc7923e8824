import type { Contract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import type { Mode, Pipeline } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import type { Sink } from "../ports/sink.ts";
import type { OnEvent } from "./events.ts";
import { Intake } from "./intake.ts";
import { OpenTable } from "./open-table.ts";
import { holdsRecords } from "./schemes.ts";
import type { Session } from "./session.ts";
import { patiently } from "./patience.ts";
import { addingMode, requireContract } from "./target.ts";

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
  readonly #contracts: Map<string, Contract>;
  readonly #session: Session;
  readonly #options: WarehouseOptions;
  readonly #intakes = new Map<string, Promise<Intake>>();

  private constructor(session: Session, sink: Sink, options: WarehouseOptions) {
    this.#session = session;
    this.sink = sink;
    this.#options = options;
    this.#contracts = new Map(options.contracts.map((contract) => [contract.table, contract]));
  }

  /** Connects and makes every table stand. Rejects with the sink's error when it stays away for `limit.firstConnectionMs`. */
  static async open(session: Session, options: WarehouseOptions): Promise<Warehouse> {
    requireTables(options.url);
    const sink = await session.sink(options.url, stateOptions(options));
    const warehouse = new Warehouse(session, sink, options);
    const { context } = session;
    const waits = { sink, context, onEvent: options.onEvent(options.name), signal: options.stop };
    await patiently({ ...waits, totalMs: limit.firstConnectionMs }, () => sink.open());
    for (const { table } of options.contracts) await warehouse.intake(table, "merge");
    await sink.share?.();
    return warehouse;
  }

  /** Of all tables, by their names. */
  get contracts(): ReadonlyMap<string, Contract> {
    return this.#contracts;
  }

  /** The intake of a table, opened when first asked for. */
  intake(table: string, mode: IntakeMode): Promise<Intake> {
    return this.#intake(this.#uploadName(table), this.#contractOf(table), mode);
  }

  /** The rows of a table, to be looked at and changed one by one; changes are batches of the pipeline `rows:TABLE`. */
  table(table: string): OpenTable {
    const contract = plainTimes(this.#contractOf(table));
    const intake = (mode: IntakeMode): Promise<Intake> => this.#intake(`rows:${table}`, contract, mode);
    return new OpenTable({ contract, sink: this.sink, engine: this.#session.engine, intake });
  }

  /**
   * Makes one more table stand, or one anew whose contract is another now, and gives what takes its rows in: merged by key,
   * `lanes` handovers at once. Rejects as `open`, with TABLE_MISMATCH.
   */
  async stand(contract: Contract, lanes: number): Promise<Intake> {
    const name = `${this.#options.name}:load:${contract.table}`;
    const known = this.#contracts.get(contract.table);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(contract)) await this.#leave(contract.table);
    this.#contracts.set(contract.table, contract);
    return this.#intake(name, contract, addingMode(contract), lanes);
  }

  /** Intakes of a contract that holds no longer. */
  async #leave(table: string): Promise<void> {
    for (const [name, intake] of [...this.#intakes]) {
      if (!name.endsWith(`:${table}`)) continue;
      this.#intakes.delete(name);
      const opened = await intake.catch(() => undefined);
      await opened?.close();
    }
  }

  async close(): Promise<void> {
    for (const intake of this.#intakes.values()) {
      const opened = await intake.catch(() => undefined); // whoever asked for it was told
      await opened?.close();
    }
    this.#intakes.clear();
  }

  #contractOf(table: string): Contract {
    const contract = this.#contracts.get(table);
    if (contract === undefined) throw new TypeError(`the warehouse has no table ${table}`);
    return contract;
  }

  #intake(name: string, contract: Contract, mode: IntakeMode, lanes = intakeLanes): Promise<Intake> {
    const known = this.#intakes.get(`${mode} ${name}`);
    if (known !== undefined) return known;
    const opening = this.#openIntake(name, contract, mode, lanes);
    this.#intakes.set(`${mode} ${name}`, opening);
    opening.catch(() => this.#intakes.delete(`${mode} ${name}`)); // its caller is told; the next one tries again
    return opening;
  }

  #openIntake(name: string, contract: Contract, mode: IntakeMode, lanes: number): Promise<Intake> {
    const { engine, context, budget } = this.#session;
    const pipeline = requireContract(this.#pipeline(name, contract, mode));
    const { onEvent, stop } = this.#options;
    const options = { lanes, batchBytes: budget.batchBytes, onEvent: onEvent(pipeline.name), stop };
    return Intake.open({ pipeline, sink: this.sink, engine, context }, options);
  }

  /** The pipeline that what is handed over to a table goes through. */
  pipelineOf(table: string, mode: IntakeMode): Pipeline {
    return this.#pipeline(this.#uploadName(table), this.#contracts.get(table), mode);
  }

  #uploadName(table: string): string {
    return `${this.#options.name}:upload:${table}`;
  }

  #pipeline(name: string, contract: Contract | undefined, mode: IntakeMode): Pipeline {
    const sink = { mode, lineage: true, ...stateOptions(this.#options) };
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

/** The contract for values that are sent as they are read: dates and times as ISO 8601, whatever the files have. */
function plainTimes(contract: Contract): Contract {
  const columns = Object.entries(contract.columns).map(([name, { format: _, ...column }]) => [name, column] as const);
  return { ...contract, columns: Object.fromEntries(columns) };
}
