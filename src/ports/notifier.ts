import type { JsonObject } from "../core/json.ts";
import type { Place } from "../core/place.ts";
import type { AdapterContext } from "./adapter.ts";

/** A picture that the HTML of a message shows by `cid:ID`. */
export interface Picture {
  readonly id: string;
  readonly name: string;
  readonly type: "image/png";
  readonly bytes: Uint8Array;
}

export interface Message {
  /** Addresses, as `mailAddress` lets them through. */
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly pictures: readonly Picture[];
  /** The same for programs. */
  readonly data: JsonObject;
}

/**
 * Tells people, or programs, what happened: by mail, into a folder, to a webhook. At least once: what fails may have been
 * sent. Errors are MillraceErrors that name the place: SINK_UNREACHABLE, SINK_BUSY, SINK_DENIED, SINK_REFUSED, DISK.
 */
export interface Notifier {
  /** The place without secrets. */
  readonly shown: string;
  /** Resolves when the message has been taken over. Throws a TypeError for an address that is none. */
  send(message: Message): Promise<void>;
  close(): Promise<void>;
}

/** The notifier role of an adapter. Connects to nothing yet. Throws URL_INVALID. */
export type NotifierFactory = (place: Place, context: AdapterContext) => Notifier;
