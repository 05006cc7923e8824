import type { Column } from "./contract.ts";
import type { RowCondition, RowKey, RowOperand, RowOrder, RowSelection } from "./row-selection.ts";

/** What the SQL of one place has of its own. */
export interface RowDialect {
  quote(name: string): string;
  /** SQL of a value that is bound as `placeholder`, as the column's own values are. */
  bound(column: Column, placeholder: string): string;
}

/** A statement with what is bound to its `$1`, `$2`, … */
export interface RowStatement {
  readonly sql: string;
  readonly parameters: readonly RowOperand[];
}

/** SQL of the rows: every name is quoted, every value a parameter. `table` is SQL already. */
export function selectSql(selection: RowSelection, table: string, dialect: RowDialect): RowStatement {
  const text = new RowText(selection.columns, dialect);
  const names = selection.wanted.map((name) => dialect.quote(name)).join(", ");
  const where = text.where(selection);
  const order = selection.order.flatMap((one) => text.order(one));
  const by = order.length === 0 ? "" : ` order by ${order.join(", ")}`;
  const sql = `select ${names} from ${table}${where}${by}${windowSql(selection)}`;
  return { sql, parameters: text.parameters };
}

/** SQL of how many rows meet the conditions, as `n`; order and window do not matter. */
export function countSql(selection: RowSelection, table: string, dialect: RowDialect): RowStatement {
  const text = new RowText(selection.columns, dialect);
  const { after: _, ...all } = selection;
  return { sql: `select count(*) as n from ${table}${text.where(all)}`, parameters: text.parameters };
}

/** SQL that is true for the row of the key. */
export function keyStatement(
  head: string,
  columns: readonly (Column & { readonly name: string })[],
  key: RowKey,
  dialect: RowDialect,
): RowStatement {
  const text = new RowText(Object.fromEntries(columns.map((column) => [column.name, column])), dialect);
  const conditions = Object.entries(key).map(([column, value]) =>
    text.condition({ column, comparison: "eq", operands: [value], negated: false }),
  );
  return { sql: `${head} where ${conditions.join(" and ")}`, parameters: text.parameters };
}

/** Both are whole numbers. MySQL takes no OFFSET without LIMIT. */
function windowSql({ skip, take }: RowSelection): string {
  const limit = take === undefined && skip > 0 ? Number.MAX_SAFE_INTEGER : take;
  return `${limit === undefined ? "" : ` limit ${limit}`}${skip === 0 ? "" : ` offset ${skip}`}`;
}

/** How values are compared one with one. */
const signs = { eq: "=", neq: "<>", lt: "<", lte: "<=", gt: ">", gte: ">=" } as const;

class RowText {
  readonly parameters: RowOperand[] = [];
  readonly #columns: Readonly<Record<string, Column>>;
  readonly #dialect: RowDialect;

  constructor(columns: Readonly<Record<string, Column>>, dialect: RowDialect) {
    this.#columns = columns;
    this.#dialect = dialect;
  }

  where({ conditions, order, after }: Pick<RowSelection, "conditions" | "order" | "after">): string {
    const all = conditions.map((one) => this.condition(one));
    if (after !== undefined) all.push(this.#behind(order, after));
    return all.length === 0 ? "" : ` where ${all.join(" and ")}`;
  }

  condition({ column, comparison, operands, negated }: RowCondition): string {
    const sql = this.#plainCondition(column, comparison, operands);
    // What is null is neither equal nor unequal: who asks for all but some wants it too.
    return negated && comparison !== "is"
      ? `(not ${sql} or ${this.#name(column)} is null)`
      : negated
        ? `not ${sql}`
        : sql;
  }

  order({ column, descending }: RowOrder): string[] {
    const name = this.#name(column);
    const last = this.#columns[column]?.nullable === true ? [`${name} is null`] : [];
    return [...last, `${name}${descending ? " desc" : ""}`];
  }

  #plainCondition(column: string, comparison: RowCondition["comparison"], operands: readonly RowOperand[]): string {
    const name = this.#name(column);
    switch (comparison) {
      case "is":
        return `(${name} is null)`;
      case "in":
        return `(${name} in (${operands.map((value) => this.#bind(column, value)).join(", ")}))`;
      case "like":
        return `(${name} like ${this.#pattern(column, operands)} escape '!')`;
      case "ilike":
        return `(lower(${name}) like lower(${this.#pattern(column, operands)}) escape '!')`;
      default:
        return `(${name} ${signs[comparison]} ${operands.map((value) => this.#bind(column, value)).join("")})`;
    }
  }

  #pattern(column: string, [text = ""]: readonly RowOperand[]): string {
    return this.#bind(column, String(text).replaceAll(/[!%_]/g, "!$&").replaceAll("*", "%"));
  }

  /** Behind the row in the first column, or equal in it and behind in those that follow. */
  #behind(order: readonly RowOrder[], [value = null, ...values]: readonly (RowOperand | null)[]): string {
    const [first, ...rest] = order;
    if (first === undefined) return "(1 = 0)";
    const name = this.#name(first.column);
    const isNullable = this.#columns[first.column]?.nullable === true;
    // Nulls stand last, so that behind one there are only its equals.
    const beyond =
      value === null
        ? "1 = 0"
        : `${name} ${first.descending ? "<" : ">"} ${this.#bind(first.column, value)}${isNullable ? ` or ${name} is null` : ""}`;
    if (rest.length === 0) return `(${beyond})`;
    const equal = value === null ? `${name} is null` : `${name} = ${this.#bind(first.column, value)}`;
    return `(${beyond} or (${equal} and ${this.#behind(rest, values)}))`;
  }

  #name(column: string): string {
    return this.#dialect.quote(column);
  }

  #bind(name: string, value: RowOperand): string {
    this.parameters.push(value);
    const column = this.#columns[name];
    const placeholder = `$${this.parameters.length}`;
    return column === undefined ? placeholder : this.#dialect.bound(column, placeholder);
  }
}
