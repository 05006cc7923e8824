import { MillraceError } from "../../core/error.ts";
import type { EngineParameter, EngineRow } from "../../ports/engine.ts";
import { serverError } from "./errors.ts";
import { bindNumbered } from "./literals.ts";
import type { Sessions } from "./sessions.ts";

const purpose = "running the query";

/** Comments and brackets before the first word do not matter. */
const selecting = /^(?:\s|--[^\n]*(?:\n|$)|#[^\n]*(?:\n|$)|\/\*[^]*?\*\/|\()*(?:select|values|with|table)\b/i;

/** Rows of one statement, in pieces, from a session that cannot write. The protocol takes no second statement. */
export async function* queryRows(
  sessions: Sessions,
  sql: string,
  parameters: readonly EngineParameter[] = [],
): AsyncGenerator<readonly EngineRow[]> {
  const session = await sessions.connect();
  let done = false;
  try {
    yield* session.stream(purpose, bindNumbered(sql, parameters));
    // What is no SELECT may have changed the session's settings.
    done = selecting.test(sql);
  } catch (error) {
    throw serverError(error)?.number === 1792 ? writing(error) : error;
  } finally {
    // Ended when the reader left half way: nobody is there to wait for the rest.
    sessions.release(session, !done);
  }
}

function writing(cause: unknown): MillraceError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new MillraceError("SINK_REFUSED", `A query only reads: ${text}`, {
    remedy: "Write a SELECT. To change data use the database's own tools.",
    // Not as the cause: a database that is read only may become writable, this statement will not.
  });
}
