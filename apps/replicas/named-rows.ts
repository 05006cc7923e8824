import { fieldProblem, type ReceivedFile, type ReplicaEntry } from "../../src/index.ts";

const linesAtOnce = 500;

/** Rows that a caller names: a file of lines, each `["key", "value as it was read"]`. Throws 422 for a line that is none. */
export async function* namedRows({ spool }: ReceivedFile): AsyncGenerator<readonly ReplicaEntry[]> {
  const decoder = new TextDecoder();
  let rest = "";
  let entries: ReplicaEntry[] = [];
  for await (const bytes of spool.bytes()) {
    const lines = `${rest}${decoder.decode(bytes, { stream: true })}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) entries.push(entryOf(line));
    if (entries.length < linesAtOnce) continue;
    yield entries;
    entries = [];
  }
  if (rest !== "") entries.push(entryOf(rest));
  if (entries.length > 0) yield entries;
}

function entryOf(line: string): ReplicaEntry {
  const [key, value] = pairOf(line);
  if (typeof key === "string" && typeof value === "string") return { key, value };
  const msg = 'each line is to be a JSON list of two texts: ["key", "value"]';
  throw fieldProblem({ loc: ["body", "file"], msg, type: "value_error" });
}

function pairOf(line: string): readonly unknown[] {
  try {
    const found: unknown = JSON.parse(line);
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}
