import { readFile } from "node:fs/promises";
import { MillraceError } from "../core/error.ts";
import { isJsonObject } from "../core/json.ts";

/**
 * Corrected records by reject. With one id the file is the record itself, without its line end; else each line is
 * `{"id": 17, "record": "…"}`.
 */
export async function readCorrections(path: string, ids: readonly bigint[]): Promise<ReadonlyMap<bigint, Uint8Array>> {
  const bytes = await readWhole(path);
  const [id] = ids;
  if (id !== undefined && ids.length === 1) return new Map([[id, withoutLineEnd(bytes)]]);
  const lines = bytes.toString("utf8").split("\n");
  const corrected = new Map<bigint, Uint8Array>();
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const [of, record] = parseCorrection(line, path, index + 1);
    if (ids.length > 0 && !ids.includes(of)) throw mistake(path, index + 1, `reject ${of} is not among those named`);
    if (corrected.has(of)) throw mistake(path, index + 1, `reject ${of} stands there a second time`);
    corrected.set(of, record);
  }
  if (corrected.size === 0) throw mistake(path, 1, "it holds no record");
  return corrected;
}

async function readWhole(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new MillraceError(
      missing ? "FILE_MISSING" : "FILE_UNREADABLE",
      `${path} cannot be read: ${(cause as Error).message}`,
      {
        remedy: "Check the path and its rights.",
        at: { source: path },
        cause,
      },
    );
  }
}

function withoutLineEnd(bytes: Buffer): Buffer {
  const end = bytes.at(-1) === 0x0a ? (bytes.at(-2) === 0x0d ? 2 : 1) : 0;
  return bytes.subarray(0, bytes.length - end);
}

function parseCorrection(line: string, path: string, number: number): [bigint, Uint8Array] {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw mistake(path, number, (cause as Error).message, cause);
  }
  const { id, record } = isJsonObject(value) ? (value as Readonly<Record<string, unknown>>) : {};
  if (!/^\d{1,18}$/.test(String(id)) || typeof record !== "string")
    throw mistake(path, number, "id or record is missing");
  return [BigInt(String(id)), Buffer.from(record, "utf8")];
}

function mistake(path: string, line: number, what: string, cause?: unknown): MillraceError {
  return new MillraceError("USAGE", `The corrected records have a mistake: ${what}`, {
    remedy: 'Name one reject and give its record alone, or write lines such as {"id":17,"record":"17,Ada,3"}.',
    at: { source: path, line },
    cause,
  });
}
