import type { ReplicaContent, ReplicaEntry, Replicas } from "../ports/replicas.ts";
import type { TestApi } from "./harness.ts";

/** A behaviour of the suite. Its name is what a skip refers to, so it is never changed lightly. */
export interface ReplicasBehaviour {
  readonly name: string;
  run(scene: ReplicasScene): Promise<void>;
}

/** What one behaviour plays on: a fresh place. */
export interface ReplicasScene {
  readonly replicas: Replicas;
  readonly expect: TestApi["expect"];
  /** Further ones on the same place, opened; closed with the scene. */
  other(): Promise<Replicas>;
}

/** Content of these pairs, in pieces of so many. */
export function contentOf(
  id: string,
  pairs: readonly (readonly [string, string])[],
  meta: Readonly<Record<string, string>> = {},
  pieceRows = 100,
): ReplicaContent {
  return { id, meta: new Map(Object.entries({ DB_NAME: id, ...meta })), entries: piecesOf(pairs, pieceRows) };
}

async function* piecesOf(
  pairs: readonly (readonly [string, string])[],
  pieceRows: number,
): AsyncGenerator<readonly ReplicaEntry[]> {
  for (let at = 0; at < pairs.length; at += pieceRows) {
    yield pairs.slice(at, at + pieceRows).map(([key, value]) => ({ key, value }));
  }
}

/** Rows `0`, `1`, … that all say of which content they are. */
export function rowsOf(id: string, count: number): [string, string][] {
  return Array.from({ length: count }, (_, row) => [String(row), JSON.stringify([id, row])]);
}

export async function pairsOf(replicas: Replicas, name: string, count?: number): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const piece of replicas.entries(name, count)) for (const { key, value } of piece) found.push([key, value]);
  return found;
}

/** What a call came to: its answer, or the name of its error. */
export async function outcomeOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return error instanceof Error ? error.name : "no error";
  }
}
