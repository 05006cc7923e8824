import type { StoredReject } from "../core/reject.ts";
import { commandLine } from "./invocation.ts";
import { unknownReject } from "../runtime/reject-choice.ts";
import { storedJson } from "../runtime/reject-json.ts";
import { parseId, reading, type RejectsFlags } from "./kept-rejects.ts";
import { markedRecord } from "./marked-record.ts";
import { placeOf, reasonText } from "./reject-lines.ts";
import { stdout } from "./screen.ts";
import { safeText } from "./shown.ts";

export function showReject(text: string, flags: RejectsFlags): Promise<void> {
  const id = parseId(text);
  return reading(flags, async (sink) => {
    const [reject] = await sink.records.rejects({ ids: [id], limit: 1 });
    if (reject === undefined) throw unknownReject(id, sink);
    if (flags.json === true) stdout.line(JSON.stringify({ ...storedJson(reject), format: reject.format }));
    else tellReject(reject, flags);
  });
}

function tellReject(reject: StoredReject, flags: RejectsFlags): void {
  const { id, source, pipeline, batch, record, state, attempts, rejectedAt, reasons } = reject;
  stdout.line(stdout.style("bold", `reject ${id}: ${safeText(placeOf(source, reject))}`));
  stdout.line(`  state     ${state}, ${attempts === 1 ? "tried once" : `tried ${attempts} times`}`);
  stdout.line(`  rejected  ${rejectedAt}`);
  stdout.line(`  pipeline  ${safeText(pipeline)}, batch ${batch}, record ${record} of it`);
  for (const reason of reasons) stdout.line(`  ${reason.code.padEnd(9)} ${reasonText(reason)}`);
  stdout.line();
  const { text, marks } = markedRecord(reject);
  stdout.line(`  ${text}`);
  if (marks !== "") stdout.line(`  ${stdout.style("red", marks)}`);
  if (state === "replayed") return;
  stdout.line();
  stdout.line(
    `  correct the record in a file, then  ${commandLine("rejects", "replay", String(id), "--with", "FILE", "--to", flags.to ?? "")}`,
  );
}
