import { MillraceError } from "../core/error.ts";

/**
 * What the engine says about files and memory of its own as an error with a code: DISK, MEMORY; the rest as it is. It
 * must not be taken for the failure of a sink, which may be the same engine.
 */
export function explainEngine(error: unknown): unknown {
  if (error instanceof MillraceError || !(error instanceof Error)) return error;
  const [text = error.message] = error.message.split(/\n\s*\n|\nLINE /);
  if (!/^(IO Error|.*No space left on device|.*Disk quota exceeded)/is.test(text)) return error;
  return new MillraceError("DISK", `The engine cannot write or read a temporary file: ${text.trim()}`, {
    remedy: "Make room there, or point TMPDIR at a folder with room.",
    cause: error,
  });
}
