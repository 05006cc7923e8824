import { MillraceError } from "../../core/error.ts";
import { quoteIdentifier, quoteLiteral } from "../../core/identifier.ts";
import type { FormatOptions } from "../../core/pipeline.ts";
import type { EngineConnection, EngineHost } from "../../ports/engine.ts";
import { type Columns, columnsByHeader } from "../csv/header.ts";

/** A Parquet file and what of it is read. */
export interface ParquetLayout {
  readonly rows: number;
  /** A SELECT of one text column, `record`: each row as a JSON object, in the order of the file. */
  readonly sql: string;
}

/**
 * Looks at the schema of a Parquet file, read by the engine from `localPath`, and maps its columns to the contract's
 * as a header would. Throws FILE_FORMAT for what the engine cannot read, HEADER_MISMATCH.
 */
export async function parquetLayout(
  localPath: string,
  source: string,
  options: FormatOptions,
  columns: Columns | undefined,
  engine: EngineHost,
): Promise<ParquetLayout> {
  const connection = await engine.connect();
  try {
    const file = quoteLiteral(withoutGlob(localPath));
    const { rows, fields } = await describe(connection, file, source);
    const names = fields.map(({ name }) => name);
    const wanted =
      columns === undefined ? names : columnsByHeader(names, columns, options.ignoreExtra === true, source);
    const taken = fields.flatMap(({ name, type }, index) => {
      const as = wanted[index];
      if (as === undefined) return [];
      return [`${quoteIdentifier(as)} := ${asJson(quoteIdentifier(name), type, columns?.[as]?.format)}`];
    });
    return {
      rows,
      sql: `select cast(to_json(struct_pack(${taken.join(", ")})) as varchar) as record from read_parquet(${file})`,
    };
  } finally {
    connection.close();
  }
}

interface Field {
  readonly name: string;
  readonly type: string;
}

async function describe(
  connection: EngineConnection,
  file: string,
  source: string,
): Promise<{ rows: number; fields: Field[] }> {
  try {
    const [counted] = await connection.all(`select sum(num_rows)::bigint as n from parquet_file_metadata(${file})`);
    const described = await connection.all(`describe select * from read_parquet(${file})`);
    const fields = described.map((row) => ({ name: row["column_name"] as string, type: row["column_type"] as string }));
    return { rows: Number(counted?.["n"] ?? 0), fields };
  } catch (cause) {
    throw unreadableParquet(source, cause);
  }
}

/** What the engine says about a Parquet file that it cannot read. */
export function unreadableParquet(source: string, cause: unknown): MillraceError {
  return new MillraceError("FILE_FORMAT", `${source} cannot be read as Parquet`, {
    remedy: "Write or fetch the file again, then run again. What was committed stays.",
    at: { source },
    cause,
  });
}

/** A path that means itself where the engine looks for patterns. */
const withoutGlob = (path: string): string => path.replace(/[*?[]/g, (character) => `[${character}]`);

/**
 * A value as JSON keeps it exactly: numbers that a double would round, dates and all else are their text. A whole
 * number kept as a double is still a whole number.
 */
function asJson(column: string, type: string, format: string | undefined): string {
  if (format !== undefined && /^(DATE|TIMESTAMP(_S|_MS| WITH TIME ZONE)?)$/.test(type)) return inForm(column, format);
  if (/^(BOOLEAN|U?(TINY|SMALL|BIG)INT|U?INTEGER|JSON)$/.test(type)) return column;
  if (/^(STRUCT|MAP|UNION)|\[\d*\]$/.test(type)) return `to_json(${column})`;
  if (type !== "DOUBLE" && type !== "FLOAT") return `cast(${column} as varchar)`;
  const whole = `cast(cast(${column} as bigint) as varchar)`;
  return `case when ${column} = trunc(${column}) and abs(${column}) < 1e15 then ${whole} else cast(${column} as varchar) end`;
}

/**
 * A day or time that is one already has no form of its own, so it is given the contract's; one that the form cannot
 * hold to the last digit stays as it is, and is told to be of another form.
 */
function inForm(column: string, format: string): string {
  const time = `cast(${column} as timestamp)`;
  const formatted = `strftime(${time}, ${quoteLiteral(format)})`;
  const exact = `try_strptime(${formatted}, ${quoteLiteral(format)}) = ${time}`;
  return `case when ${exact} then ${formatted} else cast(${column} as varchar) end`;
}
