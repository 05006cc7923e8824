import { MillraceError } from "../../core/error.ts";
import type { Json } from "../../core/json.ts";
import { isJsonObject } from "../../core/json.ts";
import { limit } from "../../core/limit.ts";
import { passes, retryPauseMs } from "../../core/retry.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { RegisteredSchema, SchemaRegistry } from "../../ports/schemas.ts";
import { type Address, readAddress } from "./address.ts";
import type { Answer } from "./answer.ts";
import { ask } from "./client.ts";
import { refusal, schemaRefused } from "./errors.ts";

type Context = Pick<AdapterContext, "now" | "pause" | "notice">;

/** A registry that speaks Confluent's REST API: Confluent's own, Apicurio, Karapace, Redpanda. */
export function schemaRegistry(url: string, context: Context): SchemaRegistry {
  return new RestRegistry(readAddress(url), context);
}

class RestRegistry implements SchemaRegistry {
  readonly shown: string;
  readonly #address: Address;
  readonly #context: Context;
  readonly #closing = new AbortController();
  /** Lanes that meet a new schema at the same time ask for it once. */
  readonly #asked = new Map<number, Promise<RegisteredSchema | undefined>>();
  /** Whether people were told that it is away. */
  #isAway = false;

  constructor(address: Address, context: Context) {
    this.shown = address.shown;
    this.#address = address;
    this.#context = context;
  }

  async schemas(ids: readonly number[], signal: AbortSignal): Promise<ReadonlyMap<number, RegisteredSchema>> {
    const found = new Map<number, RegisteredSchema>();
    await until(signal, this.#lookUp(ids, found));
    const absent = ids.filter((id) => !found.has(id));
    if (absent.length === 0) return found;
    // A registry of several nodes may be asked at one that has not heard of the newest schema yet.
    await this.#context.pause(limit.registrySecondLookMs, signal);
    await until(signal, this.#lookUp(absent, found));
    return found;
  }

  async register(subject: string, schema: string): Promise<number> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`;
    const answer = await ask(this.#address, path, this.#closing.signal, { schema });
    if (answer.status === 409 || answer.status === 422) throw schemaRefused(this.#address, subject, answer);
    const id = answer.status === 200 ? answer.body?.["id"] : undefined;
    if (typeof id !== "number" || !Number.isInteger(id)) throw refusal(this.#address, answer);
    return id;
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  async #lookUp(ids: readonly number[], found: Map<number, RegisteredSchema>): Promise<void> {
    const waiting = [...ids];
    const work = async (): Promise<void> => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
        const schema = await this.#schema(id);
        if (schema !== undefined) found.set(id, schema);
      }
    };
    await Promise.all(Array.from({ length: Math.min(limit.registryRequests, ids.length) }, work));
  }

  #schema(id: number): Promise<RegisteredSchema | undefined> {
    const before = this.#asked.get(id);
    if (before !== undefined) return before;
    const asked = this.#fetch(id).finally(() => this.#asked.delete(id));
    this.#asked.set(id, asked);
    return asked;
  }

  async #fetch(id: number): Promise<RegisteredSchema | undefined> {
    const answer = await this.#patiently(`/schemas/ids/${id}`);
    if (isUnknown(answer)) return undefined;
    const text = answer.body?.["schema"];
    if (answer.status !== 200 || typeof text !== "string") throw refusal(this.#address, answer);
    const kind = answer.body?.["schemaType"];
    const references: string[] = [];
    await this.#follow(answer.body?.["references"], references, new Set());
    return { kind: typeof kind === "string" ? kind : "AVRO", text, references };
  }

  /** Adds the texts of the schemas that `references` names, behind those that they need themselves. */
  async #follow(references: Json | undefined, into: string[], seen: Set<string>): Promise<void> {
    for (const reference of Array.isArray(references) ? (references as readonly Json[]) : []) {
      const { subject, version } = isJsonObject(reference) ? (reference as Record<string, Json>) : {};
      if (typeof subject !== "string" || typeof version !== "number") continue;
      const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
      if (seen.has(path) || seen.size >= limit.schemaReferences) continue;
      seen.add(path);
      const answer = await this.#patiently(path);
      if (isUnknown(answer)) continue;
      const text = answer.body?.["schema"];
      if (answer.status !== 200 || typeof text !== "string") throw refusal(this.#address, answer);
      await this.#follow(answer.body?.["references"], into, seen);
      into.push(text);
    }
  }

  /** Asks again while the registry is away, and says so. Throws what does not pass, and what lasts too long. */
  async #patiently(path: string): Promise<Answer> {
    const { signal } = this.#closing;
    const beganMs = this.#context.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await ask(this.#address, path, signal);
        if (answer.status >= 400 && !isUnknown(answer)) throw refusal(this.#address, answer);
        this.#tellBack();
        return answer;
      } catch (error) {
        if (!(error instanceof MillraceError) || !passes(error.code)) throw error;
        if (this.#context.now() - beganMs > limit.registryPatienceMs) throw error;
        this.#tellAway(error);
        await this.#context.pause(retryPauseMs(attempt, Math.random()), signal);
      }
    }
  }

  #tellAway({ message }: MillraceError): void {
    if (this.#isAway) return;
    this.#isAway = true;
    this.#context.notice(`${message}; what needs its schemas waits`);
  }

  #tellBack(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#context.notice(`The schema registry ${this.shown} answers again`);
  }
}

/** It is a registry, and it knows nothing of that: 40401 to 40403 are subject, version and schema not found. */
function isUnknown({ status, body }: Answer): boolean {
  const code = body?.["error_code"];
  return status === 404 && typeof code === "number" && code >= 40_400 && code < 40_500;
}

/** The work goes on for others that wait for it too. */
async function until<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  signal.throwIfAborted();
  let leave: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason as Error);
    signal.addEventListener("abort", leave, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", leave);
    work.catch(() => undefined); // nobody waits for it any more when the signal came first
  }
}
