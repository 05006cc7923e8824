import { MillraceError } from "../../core/error.ts";
import type { ServerAddress } from "./address.ts";
import { type Remedies, wordsOf } from "./errors.ts";

/** Errors that the adapter itself gives. */

/** What to do about errors of the server, with a log. */
export const logRemedies: Remedies = {
  denied:
    "Check user and password in the URL, and the rights of the user (ACL); docs/logs-redis.md lists the commands.",
  full: "Let what is read be removed (retention or trim in the URL), or give the server more memory (maxmemory).",
  cluster: "The server is one of a cluster: name the node in the URL that has the log, which the message may name.",
  otherType: "A key of the log's name holds something else than a stream. Choose another name.",
};

type Shown = Pick<ServerAddress, "shown">;

export function closedLog({ shown }: Shown): MillraceError {
  return new MillraceError("INTERRUPTED", `${shown} is closed`, { remedy: "Use the log before it is closed." });
}

export function valueTooLarge({ shown }: Shown, bytes: number, bytesMax: number): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: a value of ${bytes} bytes is larger than ${bytesMax}`, {
    remedy: "Send smaller values.",
  });
}

export function tooMuchWaits({ shown }: Shown, bytes: number): MillraceError {
  return new MillraceError("SINK_FULL", `${shown}: ${bytes} bytes wait for the server already`, {
    remedy: "Records come faster than the server takes them. Try again in a while.",
  });
}

export function laneFull({ shown }: Shown, key: string, bytes: number, bytesMax: number): MillraceError {
  return new MillraceError("SINK_FULL", `${shown}: the stream ${key} has ${bytes} of its ${bytesMax} bytes`, {
    remedy: "Let what is read be removed (retention or trim in the URL), or raise max in the URL.",
  });
}

/** The room ended between two parts of one append, which others have taken meanwhile. */
export function filledMeanwhile({ shown }: Shown, cause: unknown): MillraceError {
  return new MillraceError("SINK_BUSY", `${shown}: the room ended in the middle of an append: ${wordsOf(cause)}`, {
    remedy: "Some of its records are in the log. Append again when there is room.",
  });
}

export function notSynced({ shown }: Shown, what: string): MillraceError {
  return new MillraceError("SINK_UNREACHABLE", `${shown}: ${what}`, {
    remedy: "Check the disk of the server and that its replicas run. The records are in the log, and may be lost.",
  });
}

export function endsTooEarly({ shown }: Shown, key: string, wanted: string, last: string): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: the stream ${key} ends at ${last}, and ${wanted} is next`, {
    remedy:
      "The server lost entries that were read before (it was killed, or a replica took over), or the position is that of another server. It goes on with the next entry that is appended.",
  });
}

export function idWithoutOffset({ shown }: Shown, key: string, id: string): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: the stream ${key} has the entry ${id}, which has no offset`, {
    remedy: "Somebody chose ids beyond the year 2109, or millions in a millisecond. Remove them, or write with XADD *.",
  });
}

export function tooOld({ shown }: Shown, version: string): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: the server has version ${version}`, {
    remedy: "Millrace needs Redis 7.0 or later, or Valkey.",
  });
}
