import { isReplicaName, type SourceOptions } from "../../src/index.ts";

/** Files that may be announced. */
const endings = [".csv", ".xlsx", ".parquet", ".jsonl"] as const;

/** The file's name up to the first dot. */
export function replicaNameOf(fileName: string): string {
  return fileName.split(".", 1)[0] ?? "";
}

/** How a file is read. */
export function sourceOf(fileName: string): SourceOptions {
  const name = fileName.toLowerCase();
  if (name.endsWith(".jsonl")) return { format: "ndjson" };
  return name.endsWith(".csv") ? { format: "csv", header: true } : {};
}

/** Why a file of that name cannot become a replica; undefined when it can. */
export function refusalOf(fileName: string): string | undefined {
  if (!endings.some((ending) => fileName.toLowerCase().endsWith(ending))) {
    return `its name does not end in ${endings.join(", ")}`;
  }
  return isReplicaName(replicaNameOf(fileName)) ? undefined : "a replica cannot be called so";
}
