import { type ErrorCode, MillraceError } from "../../core/error.ts";
import type { ServerAddress } from "./address.ts";

interface Explanation {
  readonly code: ErrorCode;
  readonly remedy: string;
}

const away: Explanation = {
  code: "SINK_UNREACHABLE",
  remedy: "Check host and port in the URL, that the server runs, and that the network reaches it.",
};
const login: Explanation = {
  code: "SINK_DENIED",
  remedy: "Check the user in the URL, and its key (key_file=PATH) or password (password_file=PATH).",
};
const unreadable: Explanation = {
  code: "FILE_UNREADABLE",
  remedy: "Check that the user may read it on the server, and run again.",
};
const denied: Explanation = {
  code: "SINK_DENIED",
  remedy: "Give the user the right to write, rename and remove in the folder on the server.",
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
  const { code, remedy } = find(error, isChange);
  const said = error instanceof Error ? error.message : String(error);
  const { password } = address;
  const clean = password === undefined || password === "" ? said : said.replaceAll(password, "***");
  return new MillraceError(code, `${path}: ${clean}`, { remedy, at: { source: path }, cause: new Error(clean) });
}

export const isNoSuchFile = (error: unknown): boolean => statusOf(error) === status.noSuchFile;

export const isEnd = (error: unknown): boolean => statusOf(error) === status.eof;
