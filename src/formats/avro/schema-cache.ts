import { limit } from "../../core/limit.ts";
import type { RegisteredSchema, SchemaRegistry } from "../../ports/schemas.ts";

/** What was made of a schema, and its characters. */
interface Kept<Made> {
  readonly made: Made;
  readonly chars: number;
}

/** What is made of a registry's schemas, by id: ids never change their meaning, so it is kept while there is room. */
export class SchemaCache<Made> {
  readonly #registry: SchemaRegistry;
  readonly #make: (schema: RegisteredSchema) => Made;
  /** The one used last stands last. */
  readonly #kept = new Map<number, Kept<Made>>();
  #chars = 0;

  constructor(registry: SchemaRegistry, make: (schema: RegisteredSchema) => Made) {
    this.#registry = registry;
    this.#make = make;
  }

  has(id: number): boolean {
    return this.#kept.has(id);
  }

  /** All of these that the registry knows. Rejects as the registry does. */
  async of(ids: Iterable<number>, signal: AbortSignal): Promise<ReadonlyMap<number, Made>> {
    const found = new Map<number, Made>();
    const missing: number[] = [];
    for (const id of ids) {
      const kept = this.#kept.get(id);
      if (kept === undefined) missing.push(id);
      else {
        found.set(id, kept.made);
        this.#keep(id, kept);
      }
    }
    if (missing.length === 0) return found;
    for (const [id, schema] of await this.#registry.schemas(missing, signal)) {
      const made = this.#make(schema);
      found.set(id, made);
      this.#keep(id, { made, chars: schema.references.reduce((sum, { length }) => sum + length, schema.text.length) });
    }
    return found;
  }

  #keep(id: number, kept: Kept<Made>): void {
    this.#drop(id);
    this.#kept.set(id, kept);
    this.#chars += kept.chars;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= limit.schemasKept && this.#chars <= limit.schemasKeptChars) return;
      this.#drop(oldest);
    }
  }

  #drop(id: number): void {
    this.#chars -= this.#kept.get(id)?.chars ?? 0;
    this.#kept.delete(id);
  }
}
