import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../core/error.ts";

/** Creates a folder that only this user may enter, when it is missing. Throws DISK. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new MillraceError("DISK", `The folder ${folder} cannot be created: ${(cause as Error).message}`, {
      remedy: "Name a folder that this user may write with --data.",
      cause,
    });
  }
}

/** The folder for temporary files within a data folder. */
export function scratchIn(data: string): string {
  return join(data, "tmp");
}
