import type { Column } from "../core/contract.ts";
import { quoteLiteral } from "../core/identifier.ts";

/** DuckDB's type for a contract's column. */
export function engineType(column: Column): string {
  switch (column.type) {
    case "decimal":
      return `DECIMAL(${column.precision ?? 18},${column.scale ?? 3})`;
    case "text":
      return "VARCHAR";
    case "integer":
    case "bigint":
    case "double":
    case "boolean":
    case "date":
    case "timestamp":
    case "uuid":
    case "json":
      return column.type.toUpperCase();
  }
}

const time = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6}0*)?)?";
const day = "[0-9]{4}-[0-9]{2}-[0-9]{2}";

/** What text must look like before the engine's own, more lenient cast is trusted with it. RE2 syntax, whole text. */
const shapes = {
  whole: "-?[0-9]+",
  double: "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?",
  date: day,
  timestamp: `${day}([T ]${time})?`,
  zoned: `${day}[T ]${time} ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)`,
  utc: `${day}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z`,
  uuid: "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
} as const;

/** The one custom format that the engine's cast reads faster than strptime, when its shape is checked first. */
const utcFormat = "%Y-%m-%dT%H:%M:%SZ";

/**
 * SQL that turns the text `value` into the column's type, or NULL where the text is not exactly one. Stricter than
 * DuckDB's casts, which round `1.5` to an integer, take `0x10` and `1_000`, drop digits that do not fit, read hour 24
 * and ignore the offset of a timestamp: each of these would change a value without a word.
 */
export function typedSql(column: Column, value: string): string {
  switch (column.type) {
    case "text":
      return value;
    case "integer":
    case "bigint":
      return wholeSql(value, `try_cast(${value} as ${engineType(column)})`);
    case "double":
      return shaped(shapes.double, value, finite(`try_cast(${value} as double)`));
    case "decimal":
      return shaped(decimalShape(column.scale ?? 3), value, `try_cast(${value} as ${engineType(column)})`);
    case "boolean":
      return `case when lower(${value}) in ('true','t','yes','y','1') then true when lower(${value}) in ('false','f','no','n','0') then false end`;
    case "date":
      return column.format === undefined
        ? shaped(shapes.date, value, `try_cast(${value} as date)`)
        : `cast(${formatted(column.format, value)} as date)`;
    case "timestamp":
      return timestampSql(column.format, value);
    case "uuid":
      return shaped(shapes.uuid, value, `try_cast(${value} as uuid)`);
    case "json":
      return `case when json_valid(${value}) then cast(${value} as json) end`;
  }
}

/** Nearly all whole numbers are written as SQL would write them, which is cheaper to find out than a pattern's match. */
function wholeSql(value: string, cast: string): string {
  return `case when cast(${cast} as varchar) = ${value} then ${cast} when regexp_full_match(${value}, ${quoteLiteral(shapes.whole)}) then ${cast} end`;
}

function shaped(shape: string, value: string, sql: string): string {
  return `case when regexp_full_match(${value}, ${quoteLiteral(shape)}) then ${sql} end`;
}

function finite(sql: string): string {
  return `case when isfinite(${sql}) then ${sql} end`;
}

/** More digits after the point than the column keeps are refused unless they are zeros. */
function decimalShape(scale: number): string {
  const fraction = scale === 0 ? "0*" : `[0-9]{0,${scale}}0*`;
  return `[+-]?([0-9]+([.]${fraction})?|[.][0-9]${fraction})`;
}

function timestampSql(format: string | undefined, value: string): string {
  if (format === utcFormat) return shaped(shapes.utc, value, `try_cast(${value} as timestamp)`);
  if (format !== undefined) return formatted(format, value);
  const zoned = `timezone('UTC', try_cast(${value} as timestamptz))`;
  return `case when regexp_full_match(${value}, ${quoteLiteral(shapes.timestamp)}) then try_cast(${value} as timestamp) when regexp_full_match(${value}, ${quoteLiteral(shapes.zoned)}) then ${zoned} end`;
}

/** strptime is lenient about widths; only text that strftime gives back letter by letter has the format. */
function formatted(format: string, value: string): string {
  const literal = quoteLiteral(format);
  const parsed = `try_strptime(${value}, ${literal})`;
  return `case when strftime(${parsed}, ${literal}) = ${value} then ${parsed} end`;
}
