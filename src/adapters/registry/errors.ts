import { type ErrorCode, MillraceError } from "../../core/error.ts";
import type { Address } from "./address.ts";
import type { Answer } from "./answer.ts";

const shownChars = 500;

/** No answer came: nobody is there, or the connection was lost, or it took too long. */
export function noAnswer({ shown }: Address, cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause;
  const { message, cause: deeper } = cause as Error & { readonly cause?: { readonly message?: string; code?: string } };
  const said = deeper?.message === undefined || deeper.message === "" ? message : deeper.message;
  if (/CERT|SELF_SIGNED|UNABLE_TO|DEPTH_ZERO/.test(deeper?.code ?? "")) {
    return new MillraceError("SINK_REFUSED", `The schema registry ${shown} is not trusted: ${said}`, {
      remedy: "Name the authority that signs its certificate in the environment variable NODE_EXTRA_CA_CERTS.",
      cause,
    });
  }
  return new MillraceError("SINK_UNREACHABLE", `The schema registry ${shown} does not answer: ${said}`, {
    remedy: "Check its URL, that it runs, and that the network reaches it.",
    cause,
  });
}

export function tooLong({ shown }: Address, bytes: number): MillraceError {
  return new MillraceError("SINK_REFUSED", `The schema registry ${shown} answers with more than ${bytes} bytes`, {
    remedy: "Check the URL: no schema is that long.",
  });
}

/** What an answer means that is not the one hoped for. */
export function refusal({ shown }: Address, { status, body }: Answer): MillraceError {
  const { code, remedy } = explain(status);
  return new MillraceError(code, `The schema registry ${shown} answers ${status}${wordsOf(body)}`, { remedy });
}

/** The registry takes no such schema: it breaks the subject's rules, or is none. */
export function schemaRefused({ shown }: Address, subject: string, { status, body }: Answer): MillraceError {
  const why = status === 409 ? "is not compatible with those before it" : "is not one that it takes";
  return new MillraceError(
    "SCHEMA_REFUSED",
    `The schema registry ${shown} refuses the schema of ${subject}: it ${why}${wordsOf(body)}`,
    {
      remedy:
        status === 409
          ? "Make new columns nullable and keep the types of those that are there; or change the subject's compatibility, or write to another topic."
          : "See the registry's words.",
    },
  );
}

function explain(status: number): { readonly code: ErrorCode; readonly remedy: string } {
  if (status === 401 || status === 403) {
    return { code: "SINK_DENIED", remedy: "Check user and password in the registry's URL, and what they may do." };
  }
  if (status === 429 || status === 408) return { code: "SINK_BUSY", remedy: "It is tried again." };
  if (status >= 500) return { code: "SINK_UNREACHABLE", remedy: "Look at the registry's log; it is tried again." };
  return { code: "SINK_REFUSED", remedy: "Check the registry's URL, its path included." };
}

function wordsOf(body: Answer["body"]): string {
  const message = body?.["message"];
  return typeof message === "string" && message !== "" ? `: ${message.slice(0, shownChars)}` : "";
}
