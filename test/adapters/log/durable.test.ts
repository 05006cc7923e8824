// That append resolves when the records are on the disk, and not before, is seen in what the process asks the system to do.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { AppenderPlan } from "./appender.ts";
import { Scene } from "./scene.ts";

const appends = 25;
const tracer = "strace";
const itsFlags = ["-f", "-y", "-e", "trace=pwrite64,write,writev,fsync,fdatasync"];
const canTrace = spawnSync(tracer, [...itsFlags, "-o", "/dev/null", "true"]).status === 0;
const whyNot = canTrace ? "" : " (not run: there is no strace here, or it may not trace)";

interface Word {
  /** Files with bytes that were written and not synced when it was said. */
  readonly unsynced: readonly string[];
  /** Files that were written to and synced since the word before. */
  readonly synced: readonly string[];
}

/** What had happened by each word about an append. Threads interleave: a call may end later than it begins. */
function wordsOf(trace: string): Word[] {
  const unsynced = new Set<string>();
  const synced = new Set<string>();
  const begun = new Map<string, string>();
  const words: Word[] = [];
  for (const line of trace.split("\n")) {
    const [, thread = "", call = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const file = /^(?:pwrite64|write|f(?:data)?sync)\(\d+<([^>]*)>/.exec(call)?.[1] ?? begun.get(thread) ?? "";
    if (call.startsWith("pwrite64(")) unsynced.add(file);
    if (/^f(?:data)?sync\(.*<unfinished/.test(call)) begun.set(thread, file);
    else if (/^(?:f(?:data)?sync\(|<\.\.\. f(?:data)?sync resumed).*= 0/.test(call) && unsynced.delete(file)) {
      synced.add(file);
    }
    if (!/^writev?\(1</.test(call) || !call.includes("acked")) continue;
    words.push({ unsynced: [...unsynced], synced: [...synced] });
    synced.clear();
  }
  return words;
}

describe(`what append has done when it resolves${whyNot}`, () => {
  it.skipIf(!canTrace)("is to sync what it has written", { timeout: 60_000 }, async () => {
    await using scene = new Scene();
    const plan: AppenderPlan = {
      folder: scene.folder,
      life: "one",
      callers: 1,
      records: 3,
      fillingBytes: 100,
      appends,
    };
    const output = join(dirname(scene.folder), "trace");
    mkdirSync(dirname(output), { recursive: true });
    const script = join(import.meta.dirname, "appender.ts");
    const command = [process.execPath, "--disable-warning=ExperimentalWarning", script, JSON.stringify(plan)];
    const { status, stderr } = spawnSync(tracer, [...itsFlags, "-o", output, ...command], { encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
    const words = wordsOf(readFileSync(output, "utf8"));
    expect(words.length).toBe(appends);
    // Not of what can be told again, or is for the living alone.
    const isOfRecords = (file: string): boolean => /\/log\.db(-wal)?$/.test(file);
    expect(words.map(({ unsynced }) => unsynced.filter(isOfRecords))).toEqual(words.map(() => []));
    expect(words.filter(({ synced }) => !synced.some(isOfRecords))).toEqual([]);
  });

  it("would be noticed if it were not", () => {
    const file = "/x/log.db-wal";
    const call = `12 pwrite64(33<${file}>, "abc", 3, 0) = 3`;
    const word = `11 write(1</dev/pts/0>, "{\\"event\\":\\"acked\\"", 9) = 9`;
    const [begun, ended] = [`12 fsync(33<${file}> <unfinished ...>`, "12 <... fsync resumed>) = 0"];
    const said = (...lines: string[]): Word[] => wordsOf(lines.join("\n"));
    expect(said(call, word)).toEqual([{ unsynced: [file], synced: [] }]);
    expect(said(call, begun, word, ended)).toEqual([{ unsynced: [file], synced: [] }]);
    expect(said(word, call, begun, ended)).toEqual([{ unsynced: [], synced: [] }]);
    expect(said(call, begun, ended, word)).toEqual([{ unsynced: [], synced: [file] }]);
  });
});
