import { MillraceError } from "../core/error.ts";
import type { StoredReject } from "../core/reject.ts";
import type { RejectFilter, Sink } from "../ports/sink.ts";

/** Rejects read at once. */
const pageRejects = 1_000;

/** Which rejects to send again, and what instead of their bytes. */
export interface Choice {
  readonly filter: Pick<RejectFilter, "ids" | "code">;
  readonly corrected: ReadonlyMap<bigint, Uint8Array>;
  readonly pipelines: readonly string[];
}

/** What somebody says of the rejects to send again. */
export interface Wanted {
  readonly ids: readonly bigint[];
  /** What to send instead of their records. */
  readonly corrected: ReadonlyMap<bigint, Uint8Array>;
  readonly code?: string;
  readonly pipeline?: string;
  readonly all?: boolean;
}

/** All rejects that the filter lets through, a page at a time, oldest first. */
export async function* rejectPages(
  sink: Sink,
  filter: Omit<RejectFilter, "after" | "limit">,
): AsyncIterable<readonly StoredReject[]> {
  for (let after = -1n; ; ) {
    const page = await sink.records.rejects({ ...filter, after, limit: pageRejects });
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    after = last.id;
  }
}

/** Throws USAGE when nothing is said, REJECT_UNKNOWN for one that is not there or was replayed. */
export async function chooseRejects(sink: Sink, wantedOf: Wanted): Promise<Choice> {
  const { ids, corrected, ...flags } = wantedOf;
  const wanted = ids.length > 0 ? ids : [...corrected.keys()];
  if (wanted.length > 0) return chooseByIds(sink, wanted, corrected);
  if (flags.all !== true && flags.code === undefined) {
    throw new MillraceError("USAGE", "Nothing says which rejects to replay", {
      remedy: "Name them by number, or give --code CODE, --with FILE of id and record, or --all.",
    });
  }
  const groups = await sink.records.rejectSummary(flags.pipeline);
  const matching = groups.filter(({ code }) => flags.code === undefined || code === flags.code);
  const pipelines = [...new Set(matching.map(({ pipeline }) => pipeline))];
  return { filter: flags.code === undefined ? {} : { code: flags.code }, corrected, pipelines };
}

async function chooseByIds(sink: Sink, ids: readonly bigint[], corrected: Choice["corrected"]): Promise<Choice> {
  const found = await sink.records.rejects({ ids, limit: ids.length });
  for (const id of ids) {
    const reject = found.find((one) => one.id === id);
    if (reject === undefined) throw unknownReject(id, sink);
    if (reject.state === "open") continue;
    throw new MillraceError("REJECT_UNKNOWN", `Reject ${id} was replayed already`, {
      remedy: "A record is replayed once. millrace rejects list shows those that are open.",
    });
  }
  return { filter: { ids }, corrected, pipelines: [...new Set(found.map(({ pipeline }) => pipeline))] };
}

export function unknownReject(id: bigint, sink: Sink): MillraceError {
  return new MillraceError("REJECT_UNKNOWN", `There is no reject ${id} in ${sink.shown}`, {
    remedy: "Take the number from millrace rejects list --all.",
  });
}
