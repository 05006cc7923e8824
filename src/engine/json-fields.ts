import type { EngineConnection } from "../ports/engine.ts";
import type { RecordText } from "../ports/source.ts";
import { jsonLines } from "./source-sql.ts";

/** The field names of JSON objects, in the order in which they are first met. */
export async function jsonFields(
  records: Extract<RecordText, { kind: "json" }>,
  connection: EngineConnection,
): Promise<readonly string[]> {
  const lines = await jsonLines(records.text);
  try {
    const keys = `select unnest(json_keys(line)) as name, n from (select line, row_number() over () as n from ${lines.sql} where json_valid(line) and json_type(line) = 'OBJECT')`;
    const rows = await connection.all(
      `select name from (select name, n, row_number() over () as place from (${keys})) group by name order by min(n), min(place)`,
    );
    return rows.map((row) => row["name"] as string);
  } finally {
    await lines.dispose();
  }
}
