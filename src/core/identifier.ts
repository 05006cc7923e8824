import { MillraceError } from "./error.ts";
import { limit } from "./limit.ts";

/** An SQL identifier in double quotes, as in the SQL standard, PostgreSQL and DuckDB. NUL cannot be quoted. */
export function quoteIdentifier(name: string): string {
  if (name === "" || name.includes("\0")) {
    throw new MillraceError("CONTRACT_INVALID", `${JSON.stringify(name)} cannot be the name of a table or column`, {
      remedy: "Give it a name of one or more characters, none of them NUL.",
    });
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** An SQL string literal as in the SQL standard; only for places where SQL takes no parameter. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * A table name made from a file name: the part before the first dot, lower case, other characters as `_`.
 * `Hired Employees.csv.gz` → `hired_employees`.
 */
export function tableNameFrom(fileName: string): string {
  const stem =
    fileName
      .split(/[\\/]/)
      .at(-1)
      ?.split(".")
      .find((part) => part !== "") ?? "";
  const name = stem
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_]+/gu, "_")
    .replace(/^_+|_+$/g, "")
    .slice(0, limit.identifierChars);
  if (name === "") return "data";
  return /^\p{N}/u.test(name) ? `t_${name}`.slice(0, limit.identifierChars) : name;
}
