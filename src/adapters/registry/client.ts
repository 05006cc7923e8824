import { limit } from "../../core/limit.ts";
import { isJsonObject, type JsonObject } from "../../core/json.ts";
import type { Address } from "./address.ts";
import type { Answer } from "./answer.ts";
import { noAnswer, tooLong } from "./errors.ts";

/** What registries speak: https://docs.confluent.io/platform/current/schema-registry/develop/api.html */
const mediaType = "application/vnd.schemaregistry.v1+json";
/** A schema is text within JSON, which may write a character as six. */
const answerBytes = 6 * limit.schemaChars + 65_536;

/** One request. Throws SINK_UNREACHABLE when there is no answer, SINK_REFUSED when it is longer than any should be. */
export async function ask(address: Address, path: string, signal: AbortSignal, sent?: object): Promise<Answer> {
  const { root, authorization } = address;
  const headers: Record<string, string> = { accept: `${mediaType}, application/json` };
  if (authorization !== undefined) headers["authorization"] = authorization;
  const post = sent === undefined ? {} : { method: "POST", body: JSON.stringify(sent) };
  if (sent !== undefined) headers["content-type"] = mediaType;
  const timed = AbortSignal.any([signal, AbortSignal.timeout(limit.registryMs)]);
  try {
    const response = await fetch(`${root}${path}`, { ...post, headers, signal: timed });
    return { status: response.status, body: parsed(await bodyOf(response, address)) };
  } catch (error) {
    signal.throwIfAborted();
    throw noAnswer(address, error);
  }
}

async function bodyOf(response: Response, address: Address): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += piece.byteLength;
    if (bytes > answerBytes) throw tooLong(address, answerBytes);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function parsed(text: string): JsonObject | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return isJsonObject(body) ? body : undefined;
  } catch {
    return undefined;
  }
}
