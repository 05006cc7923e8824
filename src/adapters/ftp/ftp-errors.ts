import { FTPError } from "basic-ftp";
import { MillraceError } from "../../core/error.ts";
import type { ServerAddress } from "./address.ts";
import { type Explanation, explained, serverExplanations } from "./explanations.ts";

const { away, unreadable, denied } = serverExplanations;

/** What was being done, as it decides what a refusal means. */
export type Deed = "read" | "change" | "connect";

const busy: Explanation = {
  code: "SINK_BUSY",
  remedy: "The server asks to come again later. Allow this user more connections, or read fewer files at once.",
};
const full: Explanation = { code: "SINK_FULL", remedy: "Make room on the server, or raise the quota." };
const login: Explanation = {
  code: "SINK_DENIED",
  remedy: "Check the user in the URL and the password (password_file=PATH).",
};
const certificate: Explanation = {
  code: "SINK_DENIED",
  remedy: "The server's certificate is not trusted: name its authority with tls_ca=PATH, and check the host's name.",
};
const refused: Explanation = { code: "SINK_REFUSED", remedy: "See the server's message." };

const tlsCodes = /^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH)/;

/** By the reply codes of RFC 959. */
function find(error: unknown, deed: Deed): Explanation {
  if (!(error instanceof FTPError)) {
    const { code } = error as { readonly code?: unknown };
    return typeof code === "string" && tlsCodes.test(code) ? certificate : away;
  }
  const { code, message } = error;
  if (code === 530 || code === 332) return /maximum|too many|connect/i.test(message) ? busy : login;
  if (code === 452 || code === 552) return full;
  if (code === 421 || code === 450) return busy;
  if (code === 425 || code === 426 || code === 451) return away;
  if (code === 550 || code === 553) return deed === "change" ? denied : deed === "read" ? unreadable : login;
  if (code === 534 || code === 522 || code === 521) return certificate;
  return refused;
}

/** The library's error as one with a code. `path` is what was dealt with, for people. */
export function explainFtp(error: unknown, path: string, deed: Deed, address: ServerAddress): MillraceError {
  if (error instanceof MillraceError) return error;
  return explained(error, find(error, deed), path, address);
}

/** Whether the server says that there is no such thing, or that it may not be seen. */
export function isAbsent(error: unknown): boolean {
  return error instanceof FTPError && error.code === 550;
}

/** Whether the server does not know the command. */
export function isUnknownCommand(error: unknown): boolean {
  return error instanceof FTPError && [500, 501, 502, 504].includes(error.code);
}
