import { errorCodes, type ErrorCode, type ErrorPlace, MillraceError } from "../../../core/error.ts";
import { RepeatedMessages } from "../../../ports/sink.ts";

/** An error on its way to another process. What is neither of the first two is known there by its text, as it is here. */
export type SentError =
  | {
      readonly kind: "millrace";
      readonly code: string;
      readonly message: string;
      readonly remedy: string;
      readonly at: ErrorPlace;
      readonly cause: string | undefined;
    }
  | { readonly kind: "repeated"; readonly ids: readonly string[]; readonly where: "sink" | "batch" }
  | { readonly kind: "other"; readonly message: string };

export function sentError(error: unknown): SentError {
  if (error instanceof RepeatedMessages) return { kind: "repeated", ids: error.ids, where: error.where };
  if (error instanceof MillraceError) {
    const { code, message, remedy, at } = error;
    return { kind: "millrace", code, message, remedy, at, cause: causeOf(error) };
  }
  return { kind: "other", message: textOf(error) };
}

/** The error as the other process had it. An engine's error is classified and explained by its text, here as there. */
export function receivedError(error: SentError): Error {
  switch (error.kind) {
    case "repeated":
      return new RepeatedMessages(error.ids, error.where);
    case "millrace": {
      const { message, remedy, at, cause } = error;
      const details = { remedy, at, ...(cause === undefined ? {} : { cause: new Error(cause) }) };
      return new MillraceError(isCode(error.code) ? error.code : "INTERNAL", message, details);
    }
    case "other":
      return new Error(error.message);
  }
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}

function causeOf({ cause }: Error): string | undefined {
  return cause === undefined ? undefined : textOf(cause);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
