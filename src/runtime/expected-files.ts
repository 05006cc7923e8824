import { MillraceError } from "../core/error.ts";
import type { Pipeline } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import { timesBefore } from "./schedule.ts";

export interface ExpectedFiles {
  readonly pattern: string;
  /** Something of a file was loaded. */
  readonly seen: () => void;
  /** Throws FILE_MISSING when nothing has been since the time before this one. */
  readonly check: () => Promise<void>;
}

/** The watch that a pipeline's `expectedBy` asks for. Throws CONFIG_INVALID for a pattern that is none. */
export function expectedFiles(
  { name, from, source }: Pick<Pipeline, "name" | "from" | "source">,
  { now }: Pick<AdapterContext, "now">,
): ExpectedFiles | undefined {
  const { expectedBy: pattern } = source;
  if (pattern === undefined) return undefined;
  const beganMs = now();
  let lastMs = beganMs;
  const check = async (): Promise<void> => {
    const [, beforeMs = 0] = timesBefore(name, pattern, 2, now() + 1);
    if (lastMs > beforeMs) return;
    const { shown } = parsePlace(from);
    throw new MillraceError("FILE_MISSING", `No file has come since ${new Date(beforeMs).toISOString()}: ${shown}`, {
      remedy: "Ask whoever brings the files.",
      at: { source: shown },
    });
  };
  const seen = (): void => {
    lastMs = now();
  };
  return { pattern, seen, check };
}
