import { limit } from "../core/limit.ts";
import type { Pipeline } from "../core/pipeline.ts";
import type { OnEvent } from "./events.ts";
import { hasFiles } from "./source-files.ts";
import { patiently } from "./patience.ts";
import type { Session } from "./session.ts";

/** Who is told that the sink is waited for, and what ends the waiting. */
export interface Waiting {
  readonly onEvent: OnEvent;
  readonly signal: AbortSignal;
}

type Connecting = Pick<Session, "sink" | "context">;

/**
 * Connects to the sink before a file is read through to infer its contract: a mistyped host is told in seconds and not
 * behind all of the file. A source without files connects to nothing, as there will be nothing to load. Rejects with
 * the sink's error, when it is away for longer than `limit.firstConnectionMs`.
 */
export async function connectFirst(session: Connecting, { from, to, sink }: Pipeline, waiting: Waiting): Promise<void> {
  if (!(await hasFiles(from, session.context))) return;
  const opened = await session.sink(to, sink);
  const patience = { sink: opened, context: session.context, totalMs: limit.firstConnectionMs, ...waiting };
  await patiently(patience, () => opened.open());
}
