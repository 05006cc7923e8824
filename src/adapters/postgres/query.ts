import type { PoolClient, QueryArrayConfig } from "pg";
import { MillraceError } from "../../core/error.ts";
import type { EngineParameter, EngineRow, EngineValue } from "../../ports/engine.ts";
import { ask, type Connections } from "./client.ts";
import { stateOf, withPurpose } from "./errors.ts";

const rowsPerFetch = 1000;
const purpose = "running the query";

/** Comments and brackets before the first word do not matter. */
const selecting = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/|\()*(?:select|values|with|table)\b/i;

/** Rows of one statement, in pieces, from a transaction that cannot write. What is not a SELECT comes in one piece. */
export async function* queryRows(
  connections: Connections,
  sql: string,
  parameters: readonly EngineParameter[] = [],
): AsyncGenerator<readonly EngineRow[]> {
  const client = await connections.connect();
  let done = false;
  try {
    await ask(client, purpose, "begin read only");
    if (selecting.test(sql)) yield* fetchRows(client, sql, parameters);
    else yield await answerOf(client, sql, parameters);
    await ask(client, purpose, "rollback");
    done = true;
  } catch (error) {
    throw stateOf(error) === "25006" ? writing(error) : error;
  } finally {
    // Ended when the reader left half way: nobody is there to wait for the rest.
    client.release(!done);
  }
}

async function* fetchRows(
  client: PoolClient,
  sql: string,
  parameters: readonly EngineParameter[],
): AsyncGenerator<readonly EngineRow[]> {
  await answerOf(client, `declare millrace_query no scroll cursor for ${sql}`, parameters);
  for (;;) {
    const rows = await answerOf(client, `fetch ${rowsPerFetch} from millrace_query`);
    if (rows.length > 0) yield rows;
    if (rows.length < rowsPerFetch) return;
  }
}

/** The extended protocol takes one statement only: none can follow behind a semicolon. */
async function answerOf(
  client: PoolClient,
  text: string,
  parameters: readonly EngineParameter[] = [],
): Promise<EngineRow[]> {
  const values = [...parameters];
  const query: QueryArrayConfig & { queryMode: string } = { text, values, rowMode: "array", queryMode: "extended" };
  try {
    const { fields, rows } = await client.query<EngineValue[]>(query);
    const names = distinctNames(fields.map((field) => field.name));
    return rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index] ?? null])));
  } catch (error) {
    throw withPurpose(error, purpose);
  }
}

/** Of two columns of one name the second is called `name_1`: none is hidden. */
function distinctNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let distinct = name;
    for (let n = 1; taken.has(distinct); n += 1) distinct = `${name}_${n}`;
    taken.add(distinct);
    return distinct;
  });
}

function writing(cause: unknown): MillraceError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new MillraceError("SINK_REFUSED", `A query only reads: ${text}`, {
    remedy: "Write a SELECT. To change data use the database's own tools.",
    // Not as the cause: a database that is read only may become writable, this statement will not.
  });
}
