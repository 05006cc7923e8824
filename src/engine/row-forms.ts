import type { Column } from "../core/contract.ts";
import { quoteIdentifier, quoteLiteral } from "../core/identifier.ts";
import type { SinkColumn } from "../ports/rows.ts";
import { concatSql } from "./row-lines.ts";
import { engineType, typedSql } from "./typed-sql.ts";

/**
 * Three forms of a value, and the SQL between them: the text that a database shows of it, the engine's own type, and the
 * plain form, which is the same on every machine and in every version.
 *
 * Plain forms are texts: whole numbers their digits; decimals too, one at least before the point and behind it as many
 * as the type has; a double its 64 bits (IEEE 754) as a signed whole number; a boolean `true` or `false`; a date the days since 1970-01-01, a timestamp
 * the microseconds since then; text, uuid (small letters) and json as they are. Null is null.
 */
export interface Forms {
  /** The typed value of a database's text; NULL where the text is not exactly one of the type. */
  readonly ofDatabase: (text: string) => string;
  /** The typed value of a plain form. */
  readonly ofPlain: (text: string) => string;
  /** The plain form of a typed value. */
  readonly toPlain: (value: string) => string;
}

const years = "[0-9]{4,6}-[0-9]{2}-[0-9]{2}( [(]BC[)])?";
const time = "[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6}0*)?";
/** Sessions are in UTC, so no other offset is shown. */
const utc = "([+]00(:00)?)?";
/** What DuckDB and PostgreSQL show. Not among it: infinity, which no file format has. */
const shapes = {
  date: `${years}([ T]00:00:00([.]0+)?${utc})?`,
  timestamp: `${years}([ T]${time}${utc})?`,
  whole: "-?[0-9]+[.]0*",
} as const;

export function formsOf(column: Column): Forms {
  const type = engineType(column);
  const { format: _, ...unformatted } = column;
  const strict = (text: string): string => typedSql(unformatted, text);
  const ofPlain = (text: string): string => `cast(${text} as ${type})`;
  const toPlain = (value: string): string => `cast(${value} as varchar)`;
  switch (column.type) {
    case "integer":
    case "bigint":
      // A table may keep whole numbers with a point: as doubles, or as decimals.
      return {
        ofDatabase: (text) =>
          `coalesce(${strict(text)}, ${shaped(shapes.whole, text, `try_cast(${text} as ${type})`)})`,
        ...{ ofPlain, toPlain },
      };
    case "double":
      return {
        ofDatabase: (text) => `try_cast(${text} as double)`,
        ofPlain: (text) => `cast(cast(cast(${text} as bigint) as bit) as double)`,
        toPlain: (value) => `cast(cast(cast(${value} as bit) as bigint) as varchar)`,
      };
    case "date":
      return {
        ofDatabase: (text) => timeOf(text, (era) => shaped(shapes.date, era, `try_cast(${era} as date)`)),
        ofPlain: (text) => `date '1970-01-01' + cast(${text} as integer)`,
        toPlain: (value) => `cast(${value} - date '1970-01-01' as varchar)`,
      };
    case "timestamp":
      return {
        ofDatabase: (text) => timeOf(text, (era) => shaped(shapes.timestamp, era, `try_cast(${era} as timestamp)`)),
        ofPlain: (text) => `make_timestamp(cast(${text} as bigint))`,
        toPlain: (value) => `cast(epoch_us(${value}) as varchar)`,
      };
    case "decimal":
      return { ofDatabase: strict, ofPlain, toPlain: (value) => withZero(toPlain(value), column) };
    case "boolean":
    case "text":
    case "uuid":
    case "json":
      return { ofDatabase: strict, ofPlain, toPlain };
  }
}

/** DuckDB leaves the zero before the point out where the type has no digit there. */
function withZero(text: string, { precision = 18, scale = 3 }: Column): string {
  return precision > scale ? text : `regexp_replace(${text}, '^(-?)[.]', '\\10.')`;
}

/** PostgreSQL writes `0044-03-15 10:00:00 BC` where DuckDB, which does not see that, writes `0044-03-15 (BC) 10:00:00`. */
function timeOf(text: string, sql: (era: string) => string): string {
  const era = `regexp_replace(${text}, '^([0-9-]+)(.*) BC$', '\\1 (BC)\\2')`;
  return `case when suffix(${text}, ' BC') then ${sql(era)} else ${sql(text)} end`;
}

function shaped(shape: string, text: string, sql: string): string {
  return `case when regexp_full_match(${text}, ${quoteLiteral(shape)}) then ${sql} end`;
}

/** A row's plain forms as JSON text: an array of strings or null. */
export function plainRowSql(columns: readonly SinkColumn[]): string {
  return `cast(to_json([${plainForms(columns).join(", ")}]) as varchar)`;
}

/**
 * The text that a row is identified by: for each column the number of bytes of its plain form (UTF-8), `:`, and the
 * plain form; `-` for null. Nothing parts them, as nothing need. Unlike JSON there is one way to write it.
 */
export function rowTextSql(columns: readonly SinkColumn[]): string {
  return concatSql(plainForms(columns).map((plain) => `coalesce(strlen(${plain}) || ':' || ${plain}, '-')`));
}

function plainForms(columns: readonly SinkColumn[]): string[] {
  return columns.map((column) => formsOf(column).toPlain(quoteIdentifier(column.name)));
}
