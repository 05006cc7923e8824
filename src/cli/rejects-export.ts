import { open } from "node:fs/promises";
import { MillraceError } from "../core/error.ts";
import { rejectCsv, rejectCsvHeader } from "../runtime/reject-csv.ts";
import { rejectPages } from "../runtime/reject-choice.ts";
import { countOf } from "./figures.ts";
import { filterOf, reading, type RejectsFlags } from "./kept-rejects.ts";
import { stdout } from "./screen.ts";

interface ExportFlags extends RejectsFlags {
  readonly out: string;
  readonly raw?: boolean;
}

/** A line for each reason of each reject. */
export function exportRejects(flags: ExportFlags): Promise<void> {
  return reading(flags, async (sink) => {
    const file = await openNew(flags.out);
    let count = 0;
    try {
      await file.write(rejectCsvHeader);
      for await (const page of rejectPages(sink, filterOf(flags))) {
        count += page.length;
        await file.write(page.map((reject) => rejectCsv(reject, { raw: flags.raw ?? false })).join(""));
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
