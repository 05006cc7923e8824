import { MillraceError } from "../core/error.ts";
import type { RejectFilter, Sink } from "../ports/sink.ts";
import { openToRead } from "../runtime/reading.ts";
import { Session } from "../runtime/session.ts";
import { given, needed } from "./flags.ts";
import { stderr } from "./screen.ts";

/** Flags of every command about rejects. */
export interface RejectsFlags {
  readonly to?: string;
  readonly stateSchema?: string;
  readonly pipeline?: string;
  readonly code?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Work on the sink that `--to` names, opened to read. */
export async function reading(flags: RejectsFlags, work: (sink: Sink) => Promise<void>): Promise<void> {
  const session = await Session.open({ notice: (text) => stderr.line(text) });
  try {
    const sink = await openToRead(session, needed(flags.to), flags.stateSchema);
    try {
      await work(sink);
    } catch (error) {
      throw sink.explain(error);
    }
  } finally {
    await session.close();
  }
}

/** What a list of rejects is asked for. */
export function filterOf(flags: RejectsFlags): Omit<RejectFilter, "after" | "limit"> {
  const { pipeline, code, all } = flags;
  return { ...given({ pipeline, code }), ...(all === true ? {} : { state: "open" }) };
}

export function parseId(text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  throw new MillraceError("USAGE", `"${text}" is not the number of a reject`, {
    remedy: "Take the number from millrace rejects list.",
  });
}
