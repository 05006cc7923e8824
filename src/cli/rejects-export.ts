import { open } from "node:fs/promises";
import { MillraceError } from "../core/error.ts";
import type { StoredReject } from "../core/reject.ts";
import { csvLine, safeCell } from "../formats/csv/safe-cell.ts";
import { countOf } from "./figures.ts";
import { filterOf, reading, rejectPages, type RejectsFlags } from "./kept-rejects.ts";
import { stdout } from "./screen.ts";

interface ExportFlags extends RejectsFlags {
  readonly out: string;
  readonly raw?: boolean;
}

const header = [
  "id",
  "pipeline",
  "source",
  "line",
  "offset",
  "code",
  "column",
  "value",
  "reason",
  "state",
  "rejected_at",
  "record",
];

/** A line for each reason of each reject. */
export function exportRejects(flags: ExportFlags): Promise<void> {
  return reading(flags, async (sink) => {
    const file = await openNew(flags.out);
    let count = 0;
    const lineOf = (texts: readonly string[]): string =>
      csvLine(texts.map((text) => safeCell(text, { raw: flags.raw ?? false })));
    try {
      await file.write(csvLine(header));
      for await (const page of rejectPages(sink, filterOf(flags))) {
        count += page.length;
        await file.write(page.flatMap(reasonRows).map(lineOf).join(""));
      }
    } finally {
      await file.close();
    }
    stdout.line(`${countOf(count, "reject")} written to ${flags.out}`);
  });
}

async function openNew(path: string): ReturnType<typeof open> {
  try {
    return await open(path, "wx");
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new MillraceError(exists ? "USAGE" : "DISK", `${path} cannot be written: ${(cause as Error).message}`, {
      remedy: exists ? "Name another file, or remove this one." : "Check the path and its rights.",
      at: { source: path },
      cause,
    });
  }
}

function reasonRows(reject: StoredReject): string[][] {
  const { id, pipeline, source, line, offset, state, rejectedAt, bytes } = reject;
  const record = new TextDecoder().decode(bytes);
  return reject.reasons.map(({ code, column, value, message }) => {
    const reason = [code, column ?? "", value ?? "", message];
    return [String(id), pipeline, source, String(line ?? ""), String(offset), ...reason, state, rejectedAt, record];
  });
}
