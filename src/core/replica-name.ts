import { limit } from "./limit.ts";

/** Whether a replica may have this name: every place can keep it, and keeps nothing else under it. */
export function isReplicaName(name: string): boolean {
  if (name === "" || name.length > limit.replicaNameChars) return false;
  if (!name.isWellFormed() || /[\p{Cc}.,/\\]/u.test(name) || name.trim() !== name) return false;
  return name !== "replica_registry" && !name.startsWith("millrace:");
}

/** The name as it is. Throws a TypeError for one that cannot be. */
export function replicaName(name: string): string {
  if (isReplicaName(name)) return name;
  throw new TypeError(
    "A replica's name has up to 200 characters, none of them a dot, comma, slash or control character",
  );
}
