/** An answer of the service, read to its end. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON of it; undefined when it is something else. */
  readonly body: unknown;
}

export interface UploadError {
  readonly line: number;
  readonly column?: string | null;
  readonly value?: string | null;
  readonly reason: string;
}

export interface UploadAnswer {
  readonly file: string;
  readonly type: string;
  readonly columns: number;
  readonly rows: number;
  readonly result: string;
  readonly nrows_inserted: number;
  readonly rows_failed?: readonly Readonly<Record<string, string>>[];
  readonly nrows_failed?: number;
  readonly "duration(s)": number;
  readonly errors?: readonly UploadError[];
  readonly nrows_merged?: number;
}

export interface BackupEntry {
  readonly table: string;
  readonly version: string | number;
  readonly rows: number;
  readonly createdAt: string;
  readonly state: string;
}

/** What no answer may hold, whatever was asked: a stack, the inside of the program, or one of `hidden`. */
const inside = [/\n\s+at\s/, /\.[tj]s:\d+/, /node_modules/, /\bundefined\b/, /\[object /];

/**
 * Reads a response and holds it to what every answer promises: no 500, an error is JSON that says what was wrong, and
 * nothing carries a stack, a path or a secret. `hidden` are the secrets and paths of this service.
 */
export async function readReply(response: Response, hidden: readonly string[]): Promise<Reply> {
  const text = await response.text();
  const isJson = /^application\/json\b/.test(response.headers.get("content-type") ?? "");
  const reply = { status: response.status, headers: response.headers, text, body: isJson ? parsed(text) : undefined };
  const broken = faultOf(reply, hidden);
  if (broken === undefined) return reply;
  throw new Error(`the answer ${broken}: ${response.status} ${text.slice(0, 2_000)}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error(`the answer says that it is JSON, and is not: ${text.slice(0, 2_000)}`);
  }
}

function faultOf({ status, text, body }: Omit<Reply, "headers">, hidden: readonly string[]): string | undefined {
  if (status >= 500 && status !== 503) return "is an error of the server";
  if (hidden.some((secret) => text.includes(secret))) return "holds what is not to be told";
  if (status < 400) return undefined;
  const says = typeof body === "object" && body !== null && ("error" in body || "detail" in body);
  if (!says) return "is an error that is not JSON or does not say what was wrong";
  return inside.some((pattern) => pattern.test(text)) ? "shows the inside of the program" : undefined;
}
