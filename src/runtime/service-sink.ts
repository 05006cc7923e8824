import { toMillraceError } from "../core/error.ts";
import type { Pipeline } from "../core/pipeline.ts";
import type { Sink } from "../ports/sink.ts";
import type { Session } from "./session.ts";

/** `ok`, or the code of what the place says to a question. */
export async function stateOf(sink: Sink): Promise<{ readonly place: string; readonly state: string }> {
  const place = sink.shown.split(":")[0] ?? "";
  try {
    // Read to its end: a query that is left half-way costs its connection.
    for await (const _ of sink.query("select 1")) continue;
    return { place, state: "ok" };
  } catch (error) {
    return { place, state: toMillraceError(sink.explain(error)).code };
  }
}

/** Others on this machine work with the place through this process, where it can be held by one alone. */
export async function shareSink(session: Session, { to, sink: options }: Pipeline): Promise<void> {
  const sink = await session.sink(to, options);
  if (sink.share === undefined) return;
  await sink.open();
  await sink.share();
}
