import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../core/error.ts";
import { type Insight, insightMistake } from "../core/insight.ts";
import { parseInsight } from "../core/insight-parser.ts";
import { limit } from "../core/limit.ts";

/**
 * The insights of a folder: its `*.sql` files, by name. Other files, hidden ones and folders are none. Throws FILE_MISSING
 * when the folder is not there, FILE_UNREADABLE, and INSIGHT_INVALID for the first that has a mistake.
 */
export async function readInsights(folder: string): Promise<Insight[]> {
  const names = (await namesIn(folder)).filter((name) => !name.startsWith(".") && /\.sql$/i.test(name)).sort();
  if (names.length > limit.insights) {
    throw insightMistake(
      folder,
      undefined,
      `its folder holds ${names.length}`,
      `At most ${limit.insights} are possible.`,
    );
  }
  const insights: Insight[] = [];
  for (const name of names) {
    const insight = await readInsight(join(folder, name), name.slice(0, -".sql".length));
    const twin = insights.find((other) => other.name.toLowerCase() === insight.name.toLowerCase());
    if (twin !== undefined) {
      throw insightMistake(insight.file, undefined, `${twin.file} has its name but for case`, "Rename one of them.");
    }
    insights.push(insight);
  }
  return insights;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  } catch (cause) {
    throw unreadable(folder, cause, "Name the folder that holds the insights' SQL files.");
  }
}

async function readInsight(file: string, name: string): Promise<Insight> {
  const bytes = await bytesOf(file);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw insightMistake(file, undefined, "its text is not UTF-8", "Save the file as UTF-8.");
  }
  return parseInsight(text, name, file);
}

async function bytesOf(file: string): Promise<Buffer> {
  try {
    const { size } = await stat(file);
    if (size <= limit.insightFileBytes) return await readFile(file);
  } catch (cause) {
    throw unreadable(file, cause, "Give this user the right to read it, or take it out of the folder.");
  }
  const remedy = `At most ${limit.insightFileBytes} bytes are possible: one SELECT with what describes it.`;
  throw insightMistake(file, undefined, "its file is too large", remedy);
}

function unreadable(source: string, cause: unknown, remedy: string): MillraceError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const kind = code === "ENOENT" || code === "ENOTDIR" ? "FILE_MISSING" : "FILE_UNREADABLE";
  const what = kind === "FILE_MISSING" ? `${source} is not there` : `${source} cannot be read: ${message}`;
  return new MillraceError(kind, what, { remedy, at: { source }, cause });
}
