import { MillraceError } from "../core/error.ts";

/** What stopped while it waited, or before it had begun. */
export function interrupted(): MillraceError {
  return new MillraceError("INTERRUPTED", "Stopped before the work was done; what was committed stays", {
    remedy: "Run the same command again: it goes on where this one stopped.",
  });
}
