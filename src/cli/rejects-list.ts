import type { StoredReject } from "../core/reject.ts";
import type { Sink } from "../ports/sink.ts";
import { countOf, countText } from "./figures.ts";
import { gridLines } from "./grid.ts";
import { commandLine } from "./invocation.ts";
import { rejectPages } from "../runtime/reject-choice.ts";
import { storedJson } from "../runtime/reject-json.ts";
import { filterOf, reading, type RejectsFlags } from "./kept-rejects.ts";
import { rejectLines } from "./reject-lines.ts";
import { stdout } from "./screen.ts";
import { safeText } from "./shown.ts";

interface ListFlags extends RejectsFlags {
  readonly rows: number;
}

export function listRejects(flags: ListFlags): Promise<void> {
  return reading(flags, (sink) => (flags.json === true ? listJson(sink, flags) : listText(sink, flags)));
}

async function listJson(sink: Sink, flags: ListFlags): Promise<void> {
  for (const group of await groupsOf(sink, flags)) stdout.line(JSON.stringify({ event: "group", ...group }));
  let count = 0;
  for await (const page of rejectPages(sink, filterOf(flags))) {
    if (stdout.isClosed) return;
    count += page.length;
    await stdout.send(page.map((reject) => `${JSON.stringify({ event: "reject", ...storedJson(reject) })}\n`).join(""));
  }
  stdout.line(JSON.stringify({ event: "done", rejects: count }));
}

async function listText(sink: Sink, flags: ListFlags): Promise<void> {
  await listGroups(sink, flags);
  const filter = filterOf(flags);
  const newest = await sink.records.rejects({ ...filter, order: "newest", limit: flags.rows });
  if (newest.length === 0) return stdout.line(noneText(flags));
  stdout.line();
  for (const reject of newest) tellReject(reject);
  tellNext(newest, await sink.records.countRejects(filter), flags);
}

function noneText({ all, code }: ListFlags): string {
  const reason = code === undefined ? "" : ` for ${safeText(code)}`;
  return all === true ? `No record was ever rejected${reason}.` : `No reject is open${reason}.`;
}

/** Open rejects by reason; with `code` those of that one. */
async function groupsOf(sink: Sink, { pipeline, code }: ListFlags) {
  const groups = await sink.records.rejectSummary(pipeline);
  return code === undefined ? groups : groups.filter((group) => group.code === code);
}

async function listGroups(sink: Sink, flags: ListFlags): Promise<void> {
  const groups = await groupsOf(sink, flags);
  if (groups.length === 0) return;
  const cells = groups.map(({ count, code, column, pipeline }) => [
    countText(count),
    code,
    safeText(column ?? ""),
    safeText(pipeline),
  ]);
  const columns = [{ name: "open", right: true }, { name: "reason" }, { name: "column" }, { name: "pipeline" }];
  for (const line of gridLines(columns, cells, stdout.columns)) stdout.line(line);
}

function tellReject(reject: StoredReject): void {
  const replayed = reject.state === "replayed" ? " replayed" : "";
  const [first = "", ...others] = rejectLines(reject.source, reject, stdout.columns);
  stdout.line(`${stdout.style("cyan", `#${reject.id}`)}${replayed}${first}`);
  for (const line of others) stdout.line(line);
}

function tellNext(shown: readonly StoredReject[], count: number, flags: ListFlags): void {
  const to = flags.to ?? "";
  const [newest] = shown;
  stdout.line();
  if (shown.length < count)
    stdout.line(
      `The newest ${countText(shown.length)} of ${countOf(count, "reject")}; --rows N shows more, --json gives all.`,
    );
  if (newest === undefined) return;
  stdout.line(`  look at one        ${commandLine("rejects", "show", String(newest.id), "--to", to)}`);
  stdout.line(
    `  send it corrected  ${commandLine("rejects", "replay", String(newest.id), "--with", "FILE", "--to", to)}`,
  );
}
