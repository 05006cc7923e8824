import { createHash } from "node:crypto";
import { MillraceError, type ReplicaEntry } from "../../src/index.ts";
import { objectPairs } from "./object-pairs.ts";
import { columnsIn, type RowSource } from "./source.ts";

/** How long a service may take to begin an answer; and for one that names what it removes, bytes of a request. */
const answerMs = 60_000;
const requestBytes = 8 * 2 ** 20;
const rowChars = 16 * 2 ** 20;

/** Replicas that a service hands out, approved by the fingerprint of a key. */
export class HttpSource implements RowSource {
  readonly shown: string;
  readonly #url: URL;
  readonly #fingerprint: string;
  readonly #stopping: AbortSignal;
  #token = "";

  /** Throws URL_INVALID. */
  constructor(url: string, fingerprint: string, stopping: AbortSignal) {
    this.#url = new URL(url.endsWith("/") ? url : `${url}/`);
    const shown = new URL(this.#url);
    if (shown.password !== "") shown.password = "***";
    this.shown = shown.href;
    this.#fingerprint = fingerprint;
    this.#stopping = stopping;
  }

  async names(): Promise<readonly string[]> {
    const { LIST_OF_REGISTERED_REPLICS: list } = await this.#json("GET", "getRegisteredReplics");
    if (typeof list !== "string" || list === "EMPTY") return [];
    return list.split(",").map((name) => name.trim());
  }

  async columns(replica: string): Promise<readonly string[]> {
    return columnsIn(await (await this.#ask("POST", "getReplicaColumns", form({ replica }))).text());
  }

  async *entries(replica: string): AsyncGenerator<readonly ReplicaEntry[], void> {
    const response = await this.#ask("POST", "getTopNFromReplica", form({ replica, topn: "-1" }));
    if (response.body === null) return;
    yield* objectPairs(response.body, `${this.shown} ${replica}`, rowChars);
  }

  async clear(replica: string, entries: () => AsyncIterable<readonly ReplicaEntry[]>): Promise<number> {
    await this.#approve();
    let cleared = 0;
    for await (const lines of linePieces(entries())) {
      const body = new FormData();
      body.append("replica", replica);
      // Whoever does not know how to clear rows that are named clears none.
      body.append("remove", "False");
      body.append("file", new File([lines], "rows.jsonl", { type: "application/x-ndjson" }));
      const found = await this.#clearNamed(body);
      if (found === undefined) return this.#clearAll(replica, entries);
      cleared += found;
    }
    return cleared;
  }

  /** Undefined where the service does not know how. */
  async #clearNamed(body: FormData): Promise<number | undefined> {
    const response = await this.#ask("POST", "clearRedisCache", body, true);
    const answer = parsed(await response.text());
    const isKnown = response.ok && typeof answer === "object" && answer !== null && "cleared" in answer;
    return isKnown ? Number(answer.cleared) : undefined;
  }

  /** All that is there, where a second look finds nothing else than what was committed. */
  async #clearAll(replica: string, entries: () => AsyncIterable<readonly ReplicaEntry[]>): Promise<number> {
    const [committed, now] = [await digestOf(entries()), await digestOf(this.entries(replica))];
    if (committed.digest !== now.digest) return 0;
    await this.#json("POST", "clearRedisCache", form({ replica, remove: "True" }));
    return committed.rows;
  }

  async #approve(): Promise<void> {
    if (this.#fingerprint === "") return;
    const { isApprovedSession, ...answer } = await this.#json(
      "POST",
      "check_fingerprint",
      form({ md5_key: this.#fingerprint }),
    );
    const token: unknown = answer["access_token"];
    if (typeof token === "string") this.#token = token;
    if (isApprovedSession === true) return;
    throw new MillraceError("FORBIDDEN", `${this.shown} does not approve the fingerprint of rows.fingerprint`, {
      remedy: "Register the key with the service, and give its SHA-256 fingerprint as ssh-keygen -lf shows it.",
    });
  }

  async #json(
    method: "GET" | "POST",
    path: string,
    body?: FormData | URLSearchParams,
  ): Promise<Readonly<Record<string, unknown>>> {
    const text = await (await this.#ask(method, path, body)).text();
    const found: unknown = parsed(text);
    if (typeof found === "object" && found !== null) return found as Record<string, unknown>;
    throw this.#failure("FILE_FORMAT", `/${path} answers with something else than a JSON object`);
  }

  async #ask(
    method: "GET" | "POST",
    path: string,
    body?: FormData | URLSearchParams,
    takesRefusal = false,
  ): Promise<Response> {
    // Only until the answer begins: a large one takes as long as it takes, and one that stands still is ended by fetch.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), answerMs);
    const signal = AbortSignal.any([late.signal, this.#stopping]);
    const headers = this.#token === "" ? {} : { authorization: `Bearer ${this.#token}` };
    let response: Response;
    try {
      response = await fetch(new URL(path, this.#url), {
        method,
        headers,
        signal,
        ...(body === undefined ? {} : { body }),
      });
    } catch (cause) {
      throw this.#failure("SINK_UNREACHABLE", `/${path} cannot be reached`, cause);
    } finally {
      clearTimeout(timer);
    }
    const token = /^Bearer (\S+)$/.exec(response.headers.get("authorization") ?? "")?.[1];
    if (token !== undefined) this.#token = token;
    if (response.ok || (takesRefusal && [400, 405, 415, 422].includes(response.status))) return response;
    await response.body?.cancel();
    throw this.#failure(
      response.status === 403 ? "FORBIDDEN" : "SINK_UNREACHABLE",
      `/${path} answers with ${response.status}`,
    );
  }

  #failure(code: "SINK_UNREACHABLE" | "FORBIDDEN" | "FILE_FORMAT", what: string, cause?: unknown): MillraceError {
    const remedy =
      code === "FORBIDDEN"
        ? "Give the fingerprint of a registered key in rows.fingerprint."
        : "Check rows.from, and that the service runs; it is tried again.";
    return new MillraceError(code, `${this.shown}: ${what}`, { remedy, cause });
  }
}

function form(fields: Readonly<Record<string, string>>): URLSearchParams {
  return new URLSearchParams(fields);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Lines of `["key","value"]`, as many as one request carries. */
async function* linePieces(entries: AsyncIterable<readonly ReplicaEntry[]>): AsyncGenerator<string, void> {
  let lines = "";
  for await (const piece of entries) {
    for (const { key, value } of piece) lines += `${JSON.stringify([key, value])}\n`;
    if (lines.length < requestBytes) continue;
    yield lines;
    lines = "";
  }
  if (lines !== "") yield lines;
}

/** The same for the same entries in whatever order. */
async function digestOf(
  entries: AsyncIterable<readonly ReplicaEntry[]>,
): Promise<{ readonly digest: string; readonly rows: number }> {
  let sum = 0n;
  let rows = 0;
  for await (const piece of entries) {
    for (const { key, value } of piece) {
      const hash = createHash("sha256")
        .update(JSON.stringify([key, value]))
        .digest();
      sum = (sum + hash.readBigUInt64LE(0) + (hash.readBigUInt64LE(8) << 64n)) & ((1n << 128n) - 1n);
    }
    rows += piece.length;
  }
  return { digest: `${rows} ${sum}`, rows };
}
