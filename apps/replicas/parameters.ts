import { type FastifyRequest, type Fields, fieldProblem, fieldsOf, missingField } from "../../src/index.ts";

/** The parameters of a request, typed as the routes take them. Each throws 422. */
export class Parameters {
  readonly #fields: Fields;

  constructor(request: FastifyRequest) {
    this.#fields = fieldsOf(request);
  }

  text(name: string): string | undefined {
    return this.#fields.get(name);
  }

  required(name: string): string {
    const value = this.#fields.get(name);
    if (value !== undefined) return value;
    throw fieldProblem(missingField("body", name));
  }

  /** A real one: `false`, `0` and `no` are none. */
  flag(name: string): boolean {
    const value = (this.#fields.get(name) ?? "false").toLowerCase();
    if (["true", "1", "yes"].includes(value)) return true;
    if (["false", "0", "no"].includes(value)) return false;
    throw fieldProblem({ loc: ["body", name], msg: "value could not be parsed to a boolean", type: "type_error.bool" });
  }

  /** A whole number from -1 on. */
  count(name: string, standard: number): number {
    const value = this.#fields.get(name);
    if (value === undefined) return standard;
    if (/^(-1|\d{1,9})$/.test(value)) return Number(value);
    throw fieldProblem({
      loc: ["body", name],
      msg: "value is not a whole number from -1 on",
      type: "type_error.integer",
    });
  }
}
