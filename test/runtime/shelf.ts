import type { Json } from "../../src/core/json.ts";
import type { Store, StoreEntry } from "../../src/ports/store.ts";
import type { NewUser, User } from "../../src/runtime/users.ts";

/** The store of a process alone, whose insides a test may change. */
export class Shelf implements Store {
  readonly shown = "shelf";
  readonly kept = new Map<string, StoreEntry>();
  gets = 0;
  /** Called before each read, which waits for it. */
  onGet: () => Promise<void> = async () => undefined;
  #version = 0;

  async open(): Promise<void> {}
  async close(): Promise<void> {}

  async get(key: string): Promise<StoreEntry | undefined> {
    this.gets += 1;
    const entry = this.kept.get(key);
    await this.onGet();
    return entry;
  }

  async *entries(prefix: string): AsyncIterable<StoreEntry> {
    for (const key of [...this.kept.keys()].toSorted()) if (key.startsWith(prefix)) yield this.#at(key);
  }

  async put(key: string, value: Json, options: { readonly expected?: number } = {}): Promise<boolean> {
    if (options.expected !== undefined && options.expected !== (this.kept.get(key)?.version ?? 0)) return false;
    this.#version += 1;
    this.kept.set(key, { key, value, version: this.#version });
    return true;
  }

  async remove(key: string): Promise<boolean> {
    return this.kept.delete(key);
  }

  /** Damages what is kept without anyone noticing by the version: whoever computes a password then fails. */
  damage(name: string): void {
    const key = `user/${name}`;
    this.kept.set(key, { ...this.#at(key), value: { name } });
  }

  #at(key: string): StoreEntry {
    const entry = this.kept.get(key);
    if (entry === undefined) throw new Error(`nothing under ${key}`);
    return entry;
  }
}

/** Cost of hashes in tests that are not about it. */
export const cheap = { N: 2 ** 4, r: 8, p: 1 };
export const start = Date.parse("2026-03-01T12:00:00Z");

export const ada: NewUser = { name: "ada", role: "admin", password: "correct horse" };
/** What is shown of `ada` when she was added at the start. */
export const seen: User = { name: "ada", role: "admin", createdAt: "2026-03-01T12:00:00.000Z" };
