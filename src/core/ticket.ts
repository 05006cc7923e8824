import { MillraceError } from "./error.ts";
import { isJsonObject, type JsonObject } from "./json.ts";

/** A file that is announced is READY; who knows of it makes it REGISTERED, and PROCESSED once it is loaded. */
export const ticketStates = ["READY", "REGISTERED", "PROCESSED"] as const;
export type TicketState = (typeof ticketStates)[number];

/** What `NAME.ticket` says of a data file beside it. */
export interface Ticket {
  /** `NAME`. */
  readonly name: string;
  readonly fileName: string;
  /** The key column, where one is named. */
  readonly primIndex: string | undefined;
  readonly status: TicketState;
  readonly loadDttm: string | undefined;
  /** All that stands in it, in order: what is not Millrace's comes back as it was. */
  readonly fields: JsonObject;
}

export const ticketEnding = ".ticket";

/** Reads a ticket. Throws FILE_FORMAT, saying what is wrong with it. */
export function parseTicket(name: string, text: string): Ticket {
  const fields = jsonOf(name, text);
  const { file_name: fileName, prim_index: primIndex, status, load_dttm: loadDttm } = fields;
  if (typeof fileName !== "string") throw broken(name, "it has no file_name");
  const why = faultOfFileName(fileName);
  if (why !== undefined) throw broken(name, `its file_name ${why}`);
  const state = ticketStates.find((one) => one === status);
  if (state === undefined) throw broken(name, `its status is none of ${ticketStates.join(", ")}`);
  if (!isTextOrAbsent(primIndex)) throw broken(name, "its prim_index is no text");
  if (!isTextOrAbsent(loadDttm)) throw broken(name, "its load_dttm is no text");
  return {
    name,
    fileName,
    primIndex: typeof primIndex === "string" && primIndex !== "" ? primIndex : undefined,
    status: state,
    loadDttm: typeof loadDttm === "string" ? loadDttm : undefined,
    fields,
  };
}

function jsonOf(name: string, text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (cause) {
    throw broken(name, text.trim() === "" ? "it is empty" : "it is not JSON", cause);
  }
  if (isJsonObject(value)) return value;
  throw broken(name, "it is not a JSON object");
}

/** A name in the folder itself, whatever system the folder is on; undefined when it is one. */
function faultOfFileName(fileName: string): string | undefined {
  if (fileName === "" || fileName.trim() !== fileName) return "is empty, or begins or ends with a blank";
  if (/[/\\]/.test(fileName) || /^[A-Za-z]:/.test(fileName)) return "leads out of the folder";
  if (fileName === "." || fileName === ".." || fileName.startsWith(".")) return "is hidden or a folder";
  if (/\p{Cc}/u.test(fileName) || !fileName.isWellFormed() || fileName.length > 255) return "cannot be a file's name";
  return fileName.endsWith(ticketEnding) ? "is that of a ticket" : undefined;
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || value === null || typeof value === "string";
}

function broken(name: string, what: string, cause?: unknown): MillraceError {
  return new MillraceError("FILE_FORMAT", `The ticket ${name}${ticketEnding} cannot be used: ${what}`, {
    remedy: 'Write it as {"file_name": "NAME.csv", "prim_index": "id", "status": "READY"}.',
    at: { source: `${name}${ticketEnding}` },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The ticket with these fields changed. */
export function changedTicket(ticket: Ticket, status: TicketState, loadDttm?: string): Ticket {
  const changed = { status, ...(loadDttm === undefined ? {} : { load_dttm: loadDttm }) };
  return { ...ticket, status, loadDttm: loadDttm ?? ticket.loadDttm, fields: { ...ticket.fields, ...changed } };
}

/** The ticket as it is written. */
export function ticketText({ fields }: Ticket): string {
  return JSON.stringify(fields, null, 4);
}

/** `2022-02-22:19:35:32`, in UTC. */
export function ticketTime(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 19).replace("T", ":");
}
