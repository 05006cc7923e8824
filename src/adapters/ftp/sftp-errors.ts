import { MillraceError } from "../../core/error.ts";
import type { ServerAddress } from "./address.ts";
import { type Explanation, explained, serverExplanations } from "./explanations.ts";

const { away, unreadable, denied } = serverExplanations;

const login: Explanation = {
  code: "SINK_DENIED",
  remedy: "Check the user in the URL, and its key (key_file=PATH) or password (password_file=PATH).",
};
const refused: Explanation = {
  code: "SINK_REFUSED",
  remedy: "The server gives no reason: see that its disk has room, and what it writes into its log.",
};

/** Status codes of SFTP, version 3. */
const status = { eof: 1, noSuchFile: 2, denied: 3, noConnection: 6, lost: 7, unsupported: 8 } as const;

function statusOf(error: unknown): number | undefined {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "number" ? code : undefined;
}

function find(error: unknown, isChange: boolean): Explanation {
  const code = statusOf(error);
  const { level, message } = error as { readonly level?: unknown; readonly message?: unknown };
  if (level === "client-authentication" || /private ?key|passphrase|parse/i.test(String(message))) return login;
  if (code === undefined || code === status.noConnection || code === status.lost) return away;
  if (!isChange) return unreadable;
  return code === status.denied || code === status.noSuchFile ? denied : refused;
}

/** The library's error as one with a code. `path` is what was dealt with, for people. */
export function explainSftp(error: unknown, path: string, isChange: boolean, address: ServerAddress): MillraceError {
  if (error instanceof MillraceError) return error;
  return explained(error, find(error, isChange), path, address);
}

export const isNoSuchFile = (error: unknown): boolean => statusOf(error) === status.noSuchFile;

export const isEnd = (error: unknown): boolean => statusOf(error) === status.eof;
