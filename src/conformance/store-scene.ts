import type { Json } from "../core/json.ts";
import type { Store } from "../ports/store.ts";
import type { TestApi } from "./harness.ts";

/** A behaviour of the suite. Its name is what a skip refers to, so it is never changed lightly. */
export interface StoreBehaviour {
  readonly name: string;
  /** True when the behaviour is about opening: its store is not opened for it. */
  readonly unopened?: true;
  run(scene: StoreScene): Promise<void>;
}

/** What one behaviour plays on: a fresh place. */
export interface StoreScene {
  readonly store: Store;
  readonly expect: TestApi["expect"];
  /** A further store on the same place; closed with the scene. */
  unopened(): Promise<Store>;
  /** The same, opened. */
  other(): Promise<Store>;
}

export async function keysOf(store: Store, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.entries(prefix)) keys.push(key);
  return keys;
}

/** The value of a key as JSON text, which tells what deep equality does not: the order of names, 0 and -0. */
export async function textOf(store: Store, key: string): Promise<string | undefined> {
  const entry = await store.get(key);
  return entry === undefined ? undefined : JSON.stringify(entry.value);
}

/** The version of an entry; 0 when there is none. */
export async function versionOf(store: Store, key: string): Promise<number> {
  return (await store.get(key))?.version ?? 0;
}

/** What a call came to: its answer, or the name of its error. */
export async function outcomeOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return error instanceof Error ? error.name : "no error";
  }
}

export const sample: Json = { list: [1, "two", null, true], "": { nested: [] } };
