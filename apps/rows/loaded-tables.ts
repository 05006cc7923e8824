import {
  type Contract,
  contractFromJson,
  contractToJson,
  type OpenTable,
  type Store,
  type Warehouse,
} from "../../src/index.ts";

export interface LoadedTablesParts {
  readonly store: Store;
  readonly warehouse: Warehouse;
  readonly lanes: number;
  readonly now: () => number;
}

/** How long a table is taken for what it was when it was looked at: another process may make it anew. */
const ageMs = 1_000;

interface Looked {
  readonly atMs: number;
  readonly table: OpenTable | undefined;
}

/** The tables that replicas have become, by whatever process: notes of their types are kept in a store. */
export class LoadedTables {
  readonly #parts: LoadedTablesParts;
  readonly #looked = new Map<string, Looked>();

  constructor(parts: LoadedTablesParts) {
    this.#parts = parts;
  }

  /** The types of a table; undefined when no replica of that name was loaded. */
  async noted(name: string): Promise<Contract | undefined> {
    const entry = await this.#parts.store.get(keyOf(name));
    return entry === undefined ? undefined : contractFromJson(entry.value, `the note of ${name}`);
  }

  async note(contract: Contract): Promise<void> {
    const { store } = this.#parts;
    const entry = await store.get(keyOf(contract.table));
    const value = contractToJson(contract);
    if (JSON.stringify(entry?.value) !== JSON.stringify(value)) await store.put(keyOf(contract.table), value);
  }

  /** The table as it is served; undefined when there is none of that name. */
  async open(name: string): Promise<OpenTable | undefined> {
    const { now, warehouse, lanes } = this.#parts;
    const known = this.#looked.get(name);
    if (known?.table !== undefined && now() - known.atMs < ageMs) return known.table;
    // No table has a longer name, and no store a longer key.
    const contract = name.length > 63 ? undefined : await this.noted(name);
    if (contract === undefined) return undefined;
    await warehouse.stand(contract, lanes);
    const table = warehouse.table(name);
    this.#looked.set(name, { atMs: now(), table });
    return table;
  }
}

const keyOf = (name: string): string => `rows:${name}`;
