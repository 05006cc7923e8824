import { type ErrorCode, MillraceError } from "../../core/error.ts";

interface SmtpError {
  readonly code?: string;
  /** What the server answered with: 4xx passes, 5xx does not. */
  readonly responseCode?: number;
}

/** The error as one with a code that names the place, without the password. */
export function explainSmtp(error: unknown, shown: string, secret: string | undefined): MillraceError {
  if (error instanceof MillraceError || error instanceof TypeError) return error as MillraceError;
  const words = error instanceof Error ? error.message : String(error);
  const safe = secret === undefined || secret === "" ? words : words.replaceAll(secret, "***");
  const [code, remedy] = explanationOf(error ?? {}, words);
  return new MillraceError(code, `${shown}: ${safe}`, { remedy });
}

function explanationOf({ code = "", responseCode = 0 }: SmtpError, words: string): readonly [ErrorCode, string] {
  if (code === "EAUTH") return ["SINK_DENIED", "Check the user in the URL and its password."];
  if (/CERT|self.signed|ETLS|ESOCKET.*TLS/i.test(`${code} ${words}`)) {
    return ["SINK_UNREACHABLE", "Check smtp:// or smtps://, and tls_ca: who signed the server's certificate."];
  }
  if (responseCode >= 500)
    return ["SINK_REFUSED", "See what the server says: it refuses the sender, the address or the message."];
  if (responseCode >= 400) return ["SINK_BUSY", "The server takes it later."];
  return ["SINK_UNREACHABLE", "Check host and port in the URL, and that the server runs."];
}
