import { posix } from "node:path";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { isPartName, requireFewEntries } from "../core/remote-entry.ts";
import type { Remote, RemoteEntry } from "../ports/remote.ts";

/** A file found, and its path on the server. */
export interface RemoteFound {
  readonly path: string;
  readonly entry: RemoteEntry;
}

type List = Remote["list"];

const globCharacters = /[*?[\]{}]/;

export const isPattern = (path: string): boolean => globCharacters.test(path);

/** The files that a pattern means, sorted by path: `*`, `?`, `**`, `{a,b}`, `[ab]`. */
export async function filesOfPattern(pattern: string, list: List): Promise<readonly RemoteFound[]> {
  const steps = pattern.split("/");
  const first = steps.findIndex(isPattern);
  const base = steps.slice(0, first).join("/") || (pattern.startsWith("/") ? "/" : "");
  const walk: Walk = { list, found: new Map(), folders: 0, pattern };
  await visit(walk, base, steps.slice(first));
  return [...walk.found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

interface Walk {
  readonly list: List;
  readonly found: Map<string, RemoteFound>;
  readonly pattern: string;
  folders: number;
}

async function visit(walk: Walk, folder: string, steps: readonly string[]): Promise<void> {
  const [step = "", ...rest] = steps;
  if (step === "**" && rest.length > 0) await visit(walk, folder, rest);
  walk.folders += 1;
  if (walk.folders > limit.remoteFolders) throw tooManyFolders(walk.pattern);
  for (const entry of await walk.list(folder)) {
    const path = posix.join(folder, entry.name);
    if (entry.kind === "folder") {
      if (step === "**" && !entry.name.startsWith(".")) await visit(walk, path, steps);
      else if (rest.length > 0 && isMeant(entry.name, step)) await visit(walk, path, rest);
    } else if (entry.kind === "file" && rest.length === 0 && isMeant(entry.name, step) && !isPartName(entry.name)) {
      walk.found.set(path, { path, entry });
      requireFewEntries(walk.found.size, walk.pattern);
    }
  }
}

/** What starts with a dot is hidden from patterns that do not. */
function isMeant(name: string, step: string): boolean {
  if (name.startsWith(".") && !step.startsWith(".")) return false;
  return posix.matchesGlob(name, step === "**" ? "*" : step);
}

function tooManyFolders(pattern: string): MillraceError {
  return new MillraceError("FILE_UNREADABLE", `${pattern} leads through more than ${limit.remoteFolders} folders`, {
    remedy: "Name the folders more exactly.",
    at: { source: pattern },
  });
}
