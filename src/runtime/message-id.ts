import { createHash } from "node:crypto";

/** Which record of which lane a message was made from: the same however often it is made. */
export interface MessageId {
  /** See `laneMark`. */
  readonly mark: string;
  /** Records of the lane before it; of a replay the number of the reject. */
  readonly row: number;
}

const pattern = /^m:([\w-]{16}):(\d{1,16})$/;

/**
 * What a lane of a pipeline is called in the ids of its messages: 96 bits of a hash of both names, so that a log and its
 * readers keep a few bytes for each record and not the names.
 */
export function laneMark(pipeline: string, lane: string): string {
  return createHash("sha256").update(`${pipeline}\0${lane}`).digest("base64url").slice(0, 16);
}

export function messageIdText({ mark, row }: MessageId): string {
  return `m:${mark}:${row}`;
}

/** Undefined for an id that somebody else gave a record. */
export function parseMessageId(id: string | undefined): MessageId | undefined {
  const [, mark, row] = (id === undefined ? null : pattern.exec(id)) ?? [];
  return mark === undefined ? undefined : { mark, row: Number(row) };
}
