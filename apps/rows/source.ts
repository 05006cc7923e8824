import type { ReplicaEntry, Replicas } from "../../src/index.ts";

/** Where replicas are read, and cleared of what was committed. */
export interface RowSource {
  /** Without secrets. */
  readonly shown: string;
  /** Names of the replicas that there are. */
  names(): Promise<readonly string[]>;
  /** In the order of the file; none where they are not known. */
  columns(name: string): Promise<readonly string[]>;
  entries(name: string): AsyncIterable<readonly ReplicaEntry[]>;
  /** Removes the rows that are still as they are given, or none where that cannot be told. Resolves with how many. */
  clear(name: string, entries: () => AsyncIterable<readonly ReplicaEntry[]>): Promise<number>;
}

/** Replicas of a place that is opened here. */
export function replicaSource(replicas: Replicas): RowSource {
  return {
    shown: replicas.shown,
    names: () => replicas.names(),
    columns: async (name) => columnsIn((await replicas.look(name))?.meta.get("COLUMNS")),
    entries: (name) => replicas.entries(name),
    clear: (name, entries) => replicas.clearEntries(name, entries()),
  };
}

/** A list of texts in JSON; none for anything else. */
export function columnsIn(text: string | undefined): readonly string[] {
  const found: unknown = text === undefined ? [] : JSON.parse(text);
  return Array.isArray(found) && found.every((one) => typeof one === "string") ? found : [];
}
