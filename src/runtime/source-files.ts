import { localFiles } from "../adapters/file/files.ts";
import { MillraceError } from "../core/error.ts";
import { parsePlace } from "../core/place.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Files } from "../ports/files.ts";
import { RemoteFiles } from "./remote-files.ts";
import { isRemote, openRemote } from "./schemes.ts";

/**
 * The files that `url` means. Throws URL_INVALID, SCHEME_UNKNOWN; nothing is looked at yet, and what a server's URL says
 * beside the server is read at the first look.
 */
export function filesAt(url: string, context: Pick<AdapterContext, "pause" | "notice">): Files {
  const place = parsePlace(url);
  if (place.scheme === "file") return localFiles(place.path, place.shown);
  if (isRemote(place)) return new RemoteFiles(place.shown, () => openRemote(place, context), context);
  throw new MillraceError("SCHEME_UNKNOWN", `Records cannot come from ${place.scheme}: (${place.shown})`, {
    remedy: "Sources are paths, and file:, ftp:, ftps:, sftp: and s3: URLs.",
  });
}

/** Whether there is a file to read at `url`, at this moment. Throws URL_INVALID, SCHEME_UNKNOWN, and as `Files.list`. */
export async function hasFiles(url: string, context: Pick<AdapterContext, "pause" | "notice">): Promise<boolean> {
  const files = filesAt(url, context);
  try {
    return (await files.list()).length > 0;
  } finally {
    await files.close();
  }
}
