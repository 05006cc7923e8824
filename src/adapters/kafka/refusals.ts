import { MillraceError } from "../../core/error.ts";
import type { Address } from "./address.ts";
import { wordsOf } from "./errors.ts";

/** Errors that the adapter itself gives. */

type Shown = Pick<Address, "shown">;

export function closedLog({ shown }: Shown): MillraceError {
  return new MillraceError("INTERRUPTED", `${shown} is closed`, { remedy: "Append before the log is closed." });
}

export function valueTooLarge({ shown }: Shown, bytes: number, bytesMax: number): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: a value of ${bytes} bytes is larger than ${bytesMax}`, {
    remedy: "Send smaller values, or raise max.message.bytes of the topic, whatever it is up to 16 MiB.",
  });
}

/** Of a record that is too large with its key and its id. */
export function recordTooLarge(
  { shown }: Shown,
  bytes: number,
  bytesMax: number | undefined,
  cause?: unknown,
): MillraceError {
  const topicMax = bytesMax === undefined ? "the topic" : `${bytesMax} (max.message.bytes of the topic)`;
  return new MillraceError("SINK_REFUSED", `${shown}: a record of ${bytes} bytes is larger than ${topicMax} takes`, {
    remedy: "Send smaller values, or raise max.message.bytes of the topic.",
    cause,
  });
}

export function tooMuchWaits({ shown }: Shown, bytes: number): MillraceError {
  return new MillraceError("SINK_FULL", `${shown}: ${bytes} bytes wait for the brokers already`, {
    remedy: "Records come faster than the brokers take them. Try again in a while.",
  });
}

export function notConfirmed({ shown, timeoutMs }: Shown & Pick<Address, "timeoutMs">, cause: unknown): MillraceError {
  const why = cause === undefined ? "" : `: ${wordsOf(cause)}`;
  return new MillraceError("SINK_UNREACHABLE", `${shown}: no broker confirmed within ${timeoutMs} ms${why}`, {
    remedy: "Check that the brokers run and that enough copies are in step. The records may be in the log or not.",
    cause,
  });
}

export function endsTooEarly({ shown }: Shown, lane: string, wanted: bigint, end: bigint): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: lane ${lane} ends at offset ${end}, and ${wanted} is next`, {
    remedy:
      "Kafka lost records that were read before (an unclean election of a leader, or a disk), or the position is that of another cluster.",
  });
}

export function unreadable({ shown }: Shown, lane: string, offset: bigint, cause: unknown): MillraceError {
  const text = `${shown}: what lane ${lane} holds at offset ${offset} cannot be read: ${wordsOf(cause)}`;
  return new MillraceError("SINK_REFUSED", text, {
    remedy: "Check the broker's disks with kafka-dump-log.sh; copies on other brokers may be whole.",
    cause,
  });
}

export function tooOld({ shown }: Shown, request: string): MillraceError {
  return new MillraceError("SINK_REFUSED", `${shown}: the brokers do not know the request ${request}`, {
    remedy: "Millrace needs Kafka 3.1 or later, or what speaks its protocol.",
  });
}
