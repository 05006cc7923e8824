import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { Address } from "./address.ts";
import { wordsOf } from "./errors.ts";

/** Errors that the adapter itself gives. */

type Shown = Pick<Address, "shown">;

export function closedLog({ shown }: Shown): MillraceError {
  return new MillraceError("INTERRUPTED", `${shown} is closed`, { remedy: "Use the log before it is closed." });
}

export function recordTooLarge({ shown }: Shown, bytes: number, bytesMax: number): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: a record of ${bytes} bytes is larger than ${bytesMax}`, {
    remedy: "Send smaller values, or raise max_payload of the server (8 MB at most are advised).",
  });
}

export function tooMuchWaits({ shown }: Shown, bytes: number): MillraceError {
  return new MillraceError("SINK_FULL", `${shown}: ${bytes} bytes wait for the server already`, {
    remedy: "Records come faster than the server takes them. Try again in a while.",
  });
}

export function laneFull({ shown }: Shown, stream: string, bytesMax: number): MillraceError {
  return new MillraceError("SINK_FULL", `${shown}: the stream ${stream} has its ${bytesMax} bytes`, {
    remedy: "Let what is read be removed (retention or trim in the URL), or raise max_bytes of the stream.",
  });
}

/** The room ended between two records of one append, which others have taken meanwhile. */
export function filledMeanwhile({ shown }: Shown, cause: unknown): MillraceError {
  return new MillraceError("SINK_BUSY", `${shown}: the room ended in the middle of an append: ${wordsOf(cause)}`, {
    remedy: "Some of its records are in the log. Append again when there is room.",
  });
}

export function notConfirmed({ shown }: Shown, cause: unknown): MillraceError {
  const why = cause === undefined ? "" : `: ${wordsOf(cause)}`;
  return new MillraceError(
    "SINK_UNREACHABLE",
    `${shown}: nothing was confirmed within ${limit.natsAppendMs} ms${why}`,
    {
      remedy: "Check that the servers run and hold the stream. The records may be in the log or not.",
      cause,
    },
  );
}

export function endsTooEarly({ shown }: Shown, stream: string, wanted: bigint, end: bigint): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: the stream ${stream} ends at ${end}, and ${wanted} is next`, {
    remedy:
      "The server lost records that were read before (a power cut, or a disk), or the position is that of another server.",
  });
}

export function notToBeAppendedTo({ shown }: Shown, stream: string): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: the stream ${stream} takes more than one subject`, {
    remedy: "It was not made by Millrace and can only be read. Append to a stream of one subject, or to another name.",
  });
}

export function notALog({ shown }: Shown, stream: string): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: the stream ${stream} is not a lane of a log`, {
    remedy: "It was made by something else, or its description was changed. Choose another name.",
  });
}
