import { type Column, type ColumnType, type Contract, type RowCheck, validateContract } from "./contract.ts";

/**
 * A column being described. Every method returns a new builder. `Value` is the TypeScript type of the column in a row:
 * integer and double are numbers, bigint a bigint, decimal its digits as text, date and timestamp ISO 8601 text
 * (exact to the microsecond, which a Date is not), json any JSON value.
 */
export interface ColumnBuilder<Value> {
  readonly column: Column;
  /** Part of the key: rows are merged by it, and it is the primary key of a table that Millrace creates. */
  key(): ColumnBuilder<Value>;
  nullable(): ColumnBuilder<Value | null>;
  min(bound: number | string): ColumnBuilder<Value>;
  max(bound: number | string): ColumnBuilder<Value>;
  minLength(chars: number): ColumnBuilder<Value>;
  maxLength(chars: number): ColumnBuilder<Value>;
  /** Regular expression (RE2 syntax) that the whole text must match. */
  pattern(regex: string): ColumnBuilder<Value>;
  oneOf<const Allowed extends Value & (string | number | boolean)>(
    ...allowed: readonly Allowed[]
  ): ColumnBuilder<Allowed>;
  /** Only for the compiler. */
  readonly value?: Value;
}

function build<Value>(column: Column): ColumnBuilder<Value> {
  const with_ = (more: Partial<Column>): ColumnBuilder<Value> => build<Value>({ ...column, ...more });
  return {
    column,
    key: () => with_({ key: true }),
    nullable: () => build<Value | null>({ ...column, nullable: true }),
    min: (bound) => with_({ min: bound }),
    max: (bound) => with_({ max: bound }),
    minLength: (chars) => with_({ minLength: chars }),
    maxLength: (chars) => with_({ maxLength: chars }),
    pattern: (regex) => with_({ pattern: regex }),
    oneOf: <Allowed extends Value & (string | number | boolean)>(...allowed: readonly Allowed[]) =>
      build<Allowed>({ ...column, oneOf: allowed }),
  };
}

const simple = <Value>(type: ColumnType): ColumnBuilder<Value> => build<Value>({ type });

/** 32-bit whole number. */
export const integer = (): ColumnBuilder<number> => simple("integer");
/** 64-bit whole number. */
export const bigint = (): ColumnBuilder<bigint> => simple("bigint");
/** IEEE 754 double; infinite and NaN are refused. */
export const double = (): ColumnBuilder<number> => simple("double");
/** Exact decimal of `precision` digits, `scale` of them after the point. */
export const decimal = (precision = 18, scale = 3): ColumnBuilder<string> =>
  build({ type: "decimal", precision, scale });
/** `true`/`false`, `t`/`f`, `yes`/`no`, `1`/`0`, in any case. */
export const boolean = (): ColumnBuilder<boolean> => simple("boolean");
export const text = (): ColumnBuilder<string> => simple("text");
/** A calendar day; `format` is a strptime format, ISO 8601 (`2021-11-07`) when absent. */
export const date = (format?: string): ColumnBuilder<string> =>
  build(format === undefined ? { type: "date" } : { type: "date", format });
/** Date and time without zone, to the microsecond; a zone or offset in ISO 8601 text is converted to UTC. */
export const timestamp = (format?: string): ColumnBuilder<string> =>
  build(format === undefined ? { type: "timestamp" } : { type: "timestamp", format });
export const uuid = (): ColumnBuilder<string> => simple("uuid");
/** Any JSON value, kept as JSON. */
export const json = <Value = unknown>(): ColumnBuilder<Value> => simple<Value>("json");

export type ColumnBuilders = Readonly<Record<string, ColumnBuilder<unknown>>>;

/** The row type of a set of builders. */
export type RowOf<Builders> = {
  -readonly [Name in keyof Builders]: Builders[Name] extends { readonly value?: infer Value }
    ? Exclude<Value, undefined>
    : never;
};

/** The row type of a contract: `type Hired = Row<typeof hiredEmployees>`. */
export type Row<C> = C extends Contract<infer R> ? R : never;

export interface TableOptions {
  /** Row-level rules by name, SQL over the columns: `{ "ends after start": "ends >= starts" }`. */
  readonly checks?: Readonly<Record<string, string>>;
  /**
   * A column that the table fills, one more for each new row: the primary key of a table that Millrace creates, where
   * the contract's key is then a unique constraint.
   */
  readonly serial?: string;
}

/** A contract: type, check, DDL and JSON Schema all come from it. Throws CONTRACT_INVALID. */
export function table<const Builders extends ColumnBuilders>(
  name: string,
  columns: Builders,
  options: TableOptions = {},
): Contract<RowOf<Builders>> {
  const checks: RowCheck[] = Object.entries(options.checks ?? {}).map(([check, sql]) => ({ name: check, sql }));
  const { serial } = options;
  return validateContract({
    table: name,
    columns: columnsOf(columns),
    checks,
    ...(serial === undefined ? {} : { serial }),
  });
}

export function columnsOf(builders: ColumnBuilders): Record<string, Column> {
  return Object.fromEntries(Object.entries(builders).map(([name, builder]) => [name, builder.column]));
}
