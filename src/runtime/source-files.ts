import { localFiles } from "../adapters/file/files.ts";
import { MillraceError } from "../core/error.ts";
import { parsePlace } from "../core/place.ts";
import type { Files } from "../ports/files.ts";

/** The files that `url` means. Throws URL_INVALID, SCHEME_UNKNOWN; nothing is looked at yet. */
export function filesAt(url: string): Files {
  const place = parsePlace(url);
  if (place.scheme === "file") return localFiles(place.path, place.shown);
  throw new MillraceError("SCHEME_UNKNOWN", `Records cannot come from ${place.scheme}: (${place.shown})`, {
    remedy: "Sources are paths and file: URLs.",
  });
}

/** Whether there is a file to read at `url`, at this moment. Throws URL_INVALID, SCHEME_UNKNOWN, and as `Files.list`. */
export async function hasFiles(url: string): Promise<boolean> {
  return (await filesAt(url).list()).length > 0;
}
