import { setTimeout as pause } from "node:timers/promises";
import {
  type Backups,
  type Contract,
  errorAnswers,
  type FastifyInstance,
  fieldsOf,
  login,
  Problem,
  receiveAs,
  type Warehouse,
} from "../../src/index.ts";
import { seconds } from "./duration.ts";

/** A backup that this process has under way, or that failed. */
interface Running {
  readonly table: string;
  /** Not known before it is complete. */
  readonly version: null;
  readonly rows: null;
  readonly createdAt: string;
  state: "running" | "failed";
  error?: string;
}

/** A caller waits this long for a small table's backup to be complete; a larger one goes on behind the answer. */
const waitMs = 2_000;
/** Failed backups that are remembered. */
const failuresMax = 20;

export interface BackupParts {
  readonly warehouse: Warehouse;
  readonly backups: Backups;
  /** Complete backups kept of each table. */
  readonly keep: number;
  /** Told when a table's rows were replaced. */
  readonly changed: (table: string) => void;
  readonly now: () => number;
}

/** Backups of the application's tables: made, listed, pruned, restored; one restore of a table at a time. */
export class TableBackups {
  readonly #parts: BackupParts;
  readonly #running = new Set<Running>();
  readonly #making = new Set<Promise<unknown>>();
  readonly #restoring = new Map<string, Promise<unknown>>();

  constructor(parts: BackupParts) {
    this.#parts = parts;
  }

  contract(table: string): Contract {
    const contract = this.#parts.warehouse.contracts.get(table);
    if (contract === undefined) throw new Problem(405, { error: `The table ${table} is not supported` });
    return contract;
  }

  /** Resolves when the backup is complete and durable and older ones are pruned. */
  make(contract: Contract): Promise<void> {
    const making = this.#make(contract);
    const settled: Promise<unknown> = making
      .catch(() => undefined) // told to the caller
      .finally(() => this.#making.delete(settled));
    this.#making.add(settled);
    return making;
  }

  /** Resolves when no backup is under way any more. */
  async close(): Promise<void> {
    await Promise.all(this.#making);
  }

  async #make(contract: Contract): Promise<void> {
    const { backups, warehouse, keep, now } = this.#parts;
    const { table } = contract;
    const createdAt = new Date(now()).toISOString();
    const running: Running = { table, version: null, rows: null, createdAt, state: "running" };
    this.#running.add(running);
    try {
      await backups.backup(warehouse.sink, contract);
      await backups.prune(table, keep);
      this.#running.delete(running);
    } catch (error) {
      running.state = "failed";
      running.error = error instanceof Error && "code" in error ? String(error.code) : "INTERNAL";
      this.#forgetFailures();
      throw error;
    }
  }

  /** One that fails keeps no other from being made; the first failure is told then. */
  async makeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const contract of this.#parts.warehouse.contracts.values()) {
      await this.make(contract).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  async list(table: string | undefined): Promise<object[]> {
    const complete = await this.#parts.backups.list(table);
    const others = [...this.#running].filter((one) => table === undefined || one.table === table).toReversed();
    return [
      ...others,
      ...complete.map((backup) => ({ ...backup, state: backup.damage === undefined ? "complete" : "damaged" })),
    ];
  }

  async restore(contract: Contract, version: string | undefined, format: "parquet" | "avro"): Promise<void> {
    const { table } = contract;
    const before = this.#restoring.get(table) ?? Promise.resolve();
    const { backups, warehouse, changed } = this.#parts;
    const restored = before.then(() =>
      backups.restore(warehouse.sink, contract, { format, ...(version === undefined ? {} : { version }) }),
    );
    const settled = restored.catch(() => undefined); // told to the caller below; the next restore only waits
    this.#restoring.set(table, settled);
    await restored;
    changed(table);
  }

  #forgetFailures(): void {
    const failed = [...this.#running].filter(({ state }) => state === "failed");
    for (const old of failed.slice(0, -failuresMax)) this.#running.delete(old);
  }
}

const form = {
  type: "object",
  properties: { username: { type: "string" }, password: { type: "string", format: "password" } },
};

const table = { type: "string", description: "Name of the table" } as const;

const resultSchema = (description: string): object => ({
  description,
  content: {
    "application/json": {
      schema: {
        type: "object",
        properties: { result: { type: "string" }, "duration(s)": { type: "number" } },
        required: ["result", "duration(s)"],
      },
    },
  },
});

/** `POST /backup`, `GET /backups`, `POST /restore`. */
export function addBackupRoutes(app: FastifyInstance, backups: TableBackups): void {
  addBackup(app, backups);
  addList(app, backups);
  addRestore(app, backups);
}

function addBackup(app: FastifyInstance, backups: TableBackups): void {
  const schema = {
    tags: ["hr"],
    summary: "Back a table up",
    description:
      "The rows of this moment, as Parquet and Avro. `GET /backups` says when it is complete. Needs the role writer.",
    security: [{ basic: [] }, {}],
    querystring: { type: "object", properties: { table } },
    response: { 200: resultSchema("Started"), ...errorAnswers(400, 401, 403, 405, 422, 429, 503) },
  };
  app.post("/backup", { schema, attachValidation: true, config: { form } }, async (request) => {
    const started = performance.now();
    await using received = await receiveAs(app, request, "writer");
    const contract = backups.contract(needed(received.fields, "table"));
    const making = backups.make(contract);
    const going = making.then(() => true);
    await Promise.race([going, pause(waitMs, false, { ref: false })]);
    making.catch((error: unknown) => request.log.error({ err: error }, "the backup failed"));
    return { result: `Backup process for ${contract.table} started.`, "duration(s)": seconds(started) };
  });
}

function addList(app: FastifyInstance, backups: TableBackups): void {
  const { users } = app.millrace;
  const entry = {
    type: "object",
    properties: {
      table: { type: "string" },
      version: { type: ["string", "null"], description: "For `POST /restore?version=`" },
      rows: { type: ["integer", "null"] },
      createdAt: { type: "string", format: "date-time" },
      state: { type: "string", enum: ["complete", "running", "failed", "damaged"] },
    },
    required: ["table", "state"],
    additionalProperties: true,
  };
  const schema = {
    tags: ["hr"],
    summary: "List backups, newest first",
    description: "Needs the role reader.",
    security: [{ basic: [] }],
    querystring: { type: "object", properties: { table } },
    response: {
      200: { description: "Backups", content: { "application/json": { schema: { type: "array", items: entry } } } },
      ...errorAnswers(401, 403, 405, 429, 503),
    },
  };
  app.get("/backups", { schema }, async (request) => {
    await login(users, request, "reader", undefined);
    const wanted = fieldsOf(request).get("table");
    return backups.list(wanted === undefined ? undefined : backups.contract(wanted).table);
  });
}

function addRestore(app: FastifyInstance, backups: TableBackups): void {
  const properties = {
    table,
    version: { type: "string", maxLength: 100, description: "The newest when absent" },
    format: {
      type: "string",
      enum: ["parquet", "avro"],
      default: "parquet",
      description: "Which of its two files is read",
    },
  };
  const schema = {
    tags: ["hr"],
    summary: "Restore a table from a backup",
    description:
      "Replaces the rows in one transaction; a backup that is not whole changes nothing. Needs the role admin.",
    security: [{ basic: [] }, {}],
    querystring: { type: "object", properties },
    response: { 200: resultSchema("Restored"), ...errorAnswers(400, 401, 403, 404, 405, 409, 422, 429, 503) },
  };
  app.post("/restore", { schema, attachValidation: true, config: { form } }, async (request) => {
    const started = performance.now();
    await using received = await receiveAs(app, request, "admin");
    const contract = backups.contract(needed(received.fields, "table"));
    const { format } = request.query as { readonly format: "parquet" | "avro" };
    await backups.restore(contract, received.fields.get("version"), format);
    return { result: `Table ${contract.table} restored from backup.`, "duration(s)": seconds(started) };
  });
}

function needed(fields: ReadonlyMap<string, string>, name: string): string {
  const value = fields.get(name);
  if (value !== undefined) return value;
  throw new Problem(422, { detail: [{ loc: ["query", name], msg: "field required", type: "value_error.missing" }] });
}
