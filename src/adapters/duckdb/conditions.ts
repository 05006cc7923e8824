import type { EngineParameter } from "../../ports/engine.ts";

/** Collects SQL conditions with their parameters. */
export class Conditions {
  readonly #conditions: string[] = [];
  readonly parameters: EngineParameter[] = [];

  /** Adds a condition, in which `?` stands for the value; nothing when the value is undefined. */
  add(condition: string, value: EngineParameter | undefined): void {
    if (value === undefined) return;
    this.#conditions.push(condition.replaceAll("?", this.bind(value)));
  }

  /** Binds a value and gives its placeholder. */
  bind(value: EngineParameter): string {
    this.parameters.push(value);
    return `$${this.parameters.length}`;
  }

  /** The WHERE clause; empty without conditions. */
  get where(): string {
    return this.#conditions.length === 0 ? "" : `where ${this.#conditions.join(" and ")}`;
  }
}

/** SQL that gives a timestamp column, held in UTC, as ISO 8601 text. */
export function isoTime(column: string): string {
  return `strftime(${column}, '%Y-%m-%dT%H:%M:%S.%gZ')`;
}
