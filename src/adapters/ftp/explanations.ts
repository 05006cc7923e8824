import { type ErrorCode, MillraceError } from "../../core/error.ts";
import type { ServerAddress } from "./address.ts";

/** What a failure means, and what to do about it. */
export interface Explanation {
  readonly code: ErrorCode;
  readonly remedy: string;
}

const away: Explanation = {
  code: "SINK_UNREACHABLE",
  remedy: "Check host and port in the URL, that the server runs, and that the network reaches it.",
};
const unreadable: Explanation = {
  code: "FILE_UNREADABLE",
  remedy: "Check that the user may read it on the server, and run again.",
};
const denied: Explanation = {
  code: "SINK_DENIED",
  remedy: "Give the user the right to write, rename and remove in the folder on the server.",
};

/** Explanations that do not depend on the protocol. */
export const serverExplanations = { away, unreadable, denied } as const;

/** A library's error as one with a code. `path` is what was dealt with, for people. */
export function explained(
  error: unknown,
  { code, remedy }: Explanation,
  path: string,
  { password }: ServerAddress,
): MillraceError {
  const said = error instanceof Error ? error.message : String(error);
  const clean = password === undefined || password === "" ? said : said.replaceAll(password, "***");
  // Not the error itself: libraries keep what they sent beside it.
  return new MillraceError(code, `${path}: ${clean}`, { remedy, at: { source: path }, cause: new Error(clean) });
}
