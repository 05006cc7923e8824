import { DiscardPolicy, JetStreamApiError, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { limit } from "../../core/limit.ts";
import type { Client, Connection } from "./connection.ts";
import { apiCode, apiCodeOf, asking, isMissing, isUnheard } from "./errors.ts";
import { errorOf } from "./publish-answer.ts";

export interface BucketOptions {
  readonly name: string;
  readonly replicas: number;
  /** Entries vanish so long after they were written; undefined: never. */
  readonly ageMs: number | undefined;
}

export interface BucketEntry {
  readonly value: string;
  /** Of the write; for `put` with `expected`. */
  readonly revision: number;
}

const nanosPerMs = 1_000_000;

/**
 * A bucket of JetStream's key-value store, as a stream named `KV_<bucket>` with one message a key:
 * https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-8.md. `nats kv ls <bucket>` shows it.
 * Keys consist of letters, digits, `-`, `_`, `=` and dots. Made when it is first written to, and anew when it was removed.
 */
export class Bucket {
  readonly #connection: Connection;
  readonly #options: BucketOptions;

  constructor(connection: Connection, options: BucketOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** False when the entry was written since it had the revision `expected`; 0 is none. */
  async put(key: string, value: string, expected?: number): Promise<boolean> {
    const client = await this.#connection.client();
    const error = await this.#publish(client, key, value, expected);
    if (!isUnheard(error)) return isPut(error);
    await this.#create(client);
    return isPut(await this.#publish(client, key, value, expected));
  }

  /** Writes the entry where there is none; on return the bucket is there, and can be asked: see `Streams.ready`. */
  async begin(key: string, value: string): Promise<void> {
    await this.put(key, value, 0);
  }

  /** Only of a bucket that something was put into before, whether it was taken or not. */
  async get(key: string): Promise<BucketEntry | undefined> {
    const { streams } = await this.#connection.client();
    try {
      const found = await streams.getMessage(this.#stream, { last_by_subj: this.subjectOf(key) });
      // Libraries that remove an entry leave an empty message with a header that says so.
      const isThere = found !== null && found.header?.get("KV-Operation") === "";
      return isThere ? { value: found.string(), revision: found.seq } : undefined;
    } catch (error) {
      if (isMissing(error) || apiCodeOf(error) === apiCode.noMessageFound) return undefined;
      throw error;
    }
  }

  /** Keys that match a pattern of subjects, such as `members.*`. The same. */
  async keys(pattern: string): Promise<string[]> {
    const { streams } = await this.#connection.client();
    try {
      const { state } = await asking(
        `looking at the bucket ${this.#options.name}`,
        streams.info(this.#stream, { subjects_filter: this.subjectOf(pattern) }),
      );
      return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(this.subjectOf("").length));
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async remove(key: string): Promise<void> {
    const { streams } = await this.#connection.client();
    await streams.purge(this.#stream, { filter: this.subjectOf(key) });
  }

  /** To which entries with such keys are published when they are written. */
  subjectOf(pattern: string): string {
    return `$KV.${this.#options.name}.${pattern}`;
  }

  get #stream(): string {
    return `KV_${this.#options.name}`;
  }

  /** Resolves with the error, undefined when it is written. */
  async #publish({ nats }: Client, key: string, value: string, expected?: number): Promise<Error | undefined> {
    const conditions = headers();
    if (expected !== undefined) conditions.set("Nats-Expected-Last-Subject-Sequence", String(expected));
    try {
      const answer = await nats.request(this.subjectOf(key), value, {
        timeout: limit.natsRequestMs,
        headers: conditions,
      });
      return errorOf(answer, this.subjectOf(key));
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  async #create({ streams }: Client): Promise<void> {
    const { name, replicas, ageMs } = this.#options;
    const added = streams.add({
      name: this.#stream,
      subjects: [this.subjectOf(">")],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      max_msgs_per_subject: 1,
      num_replicas: replicas,
      allow_rollup_hdrs: true,
      deny_delete: true,
      deny_purge: false,
      max_age: (ageMs ?? 0) * nanosPerMs,
      duplicate_window: Math.min(ageMs ?? 120_000, 120_000) * nanosPerMs,
    });
    try {
      await asking(`creating the bucket ${name}`, added);
    } catch (error) {
      // Made by another process meanwhile, with other settings.
      if (apiCodeOf(error) !== apiCode.streamExists) throw error;
    }
  }
}

function isPut(error: Error | undefined): boolean {
  if (error === undefined) return true;
  if (error instanceof JetStreamApiError && error.code === apiCode.wrongLastSequence) return false;
  throw error;
}

/** Any text as part of a key: what keys cannot have, and the dot, stands as `=XX`, byte for byte. */
export function keyPart(text: string): string {
  const bytes = Buffer.from(text, "utf8").toString("latin1");
  const part = bytes.replaceAll(/[^A-Za-z0-9_-]/g, (char) => `=${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return part === "" ? "=" : part;
}
