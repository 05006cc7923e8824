import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { contractFromJson } from "../../src/core/contract-json.ts";
import { type ErrorCode, type MillraceError, toMillraceError } from "../../src/core/error.ts";
import { addCounts, isBalanced, noCounts } from "../../src/core/ledger.ts";
import type { Mode, SourceOptions } from "../../src/core/pipeline.ts";
import type { StoredReject } from "../../src/core/reject.ts";
import type { EngineRow } from "../../src/ports/engine.ts";
import type { RunEvent, RunSummary } from "../../src/runtime/events.ts";
import { type LoadRequest, loadPipeline } from "../../src/runtime/load.ts";
import { runPipeline } from "../../src/runtime/runner.ts";
import { Session } from "../../src/runtime/session.ts";
import { type Kept, readKept } from "../crash/balance.ts";

/** `hired_employees` as most cases load it. */
export const hired = {
  table: "hired",
  columns: {
    id: { type: "integer" },
    name: { type: "text" },
    datetime: { type: "timestamp", format: "%Y-%m-%dT%H:%M:%SZ" },
    department_id: { type: "integer" },
  },
} as const;

export const goodLine = (id: number): string => `${id},Harold Vogt,2021-11-07T02:48:42Z,2\n`;
export const hiredHeader = "id,name,datetime,department_id\n";

export interface Attempt {
  /** The file's content; absent when `from` is given. */
  readonly content?: string | Uint8Array;
  /** The file's name. */
  readonly name?: string;
  readonly from?: string;
  /** A DuckDB file in the scene's folder when absent. */
  readonly to?: string;
  /** Undefined: to be inferred. */
  readonly contract?: object | undefined;
  readonly source?: SourceOptions;
  readonly mode?: Mode;
  readonly key?: readonly string[];
  readonly patienceMs?: number;
  readonly memoryBytes?: number;
  readonly onEvent?: (event: RunEvent) => void;
}

export interface Outcome {
  readonly summary: RunSummary | undefined;
  readonly error: MillraceError | undefined;
  readonly notices: readonly string[];
}

/** A folder in which files are loaded as `millrace load` does it. Deleted when disposed of. */
export class Scene implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "millrace-bad-"));

  get to(): string {
    return `duckdb:${this.path("bad.duckdb")}`;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  /** What became of it; an error of any kind is an outcome. */
  async load(attempt: Attempt): Promise<Outcome> {
    const notices: string[] = [];
    const session = await Session.open({
      notice: (text) => notices.push(text),
      memoryBytes: attempt.memoryBytes ?? 256 * 2 ** 20,
      ...(attempt.source?.parallel === undefined ? {} : { parallel: attempt.source.parallel }),
    });
    try {
      return { summary: await this.#run(attempt, session), error: undefined, notices };
    } catch (error) {
      return { summary: undefined, error: toMillraceError(error), notices };
    } finally {
      await session.close();
    }
  }

  async #run(attempt: Attempt, session: Session): Promise<RunSummary> {
    const open = await session.pipeline(await loadPipeline(this.#request(attempt), session));
    return runPipeline(open, {
      follow: false,
      stop: new AbortController().signal,
      onEvent: attempt.onEvent ?? (() => undefined),
      patienceMs: attempt.patienceMs ?? 1_000,
    });
  }

  #request(attempt: Attempt): LoadRequest {
    const { content, name = "hired.csv", source = {}, mode, key } = attempt;
    const contract = "contract" in attempt ? attempt.contract : hired;
    return {
      from: attempt.from ?? this.write(name, content ?? ""),
      to: attempt.to ?? this.to,
      source,
      ...(contract === undefined ? {} : { contract: contractFromJson(contract, "the test") }),
      ...(mode === undefined ? {} : { mode }),
      ...(key === undefined ? {} : { key }),
    };
  }

  async query(sql: string, to = this.to): Promise<EngineRow[]> {
    const session = await Session.open({ notice: () => undefined });
    try {
      const sink = await session.sink(to);
      const rows: EngineRow[] = [];
      for await (const piece of sink.query(sql)) rows.push(...piece);
      return rows;
    } finally {
      await session.close();
    }
  }

  kept(table = "hired", to = this.to): Promise<Kept> {
    return readKept(to, `load:${table}`);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** An error that a user can do something with: of this code, with a remedy, and without the inside of the program. */
export function expectError({ error }: Outcome, code: ErrorCode, saying: RegExp): void {
  expect({ code: error?.code, message: error?.message }).toMatchObject({
    code,
    message: expect.stringMatching(saying) as string,
  });
  expect(error?.remedy).toMatch(/\w{3}/);
  expect(`${error?.message} ${error?.remedy}`).not.toMatch(/\n\s+at |undefined|\[object/);
}

export interface Expected {
  readonly read: number;
  readonly rejected: number;
}

/** The load came to its end, its books are balanced and say this, and the table holds what they say. */
export async function expectLoaded(
  scene: Scene,
  outcome: Outcome,
  expected: Expected,
  table = "hired",
  to = scene.to,
): Promise<Kept> {
  if (outcome.error !== undefined) throw outcome.error;
  const { read, rejected, loaded, balanced } = outcome.summary ?? { ...noCounts, balanced: false };
  expect({ read, rejected, balanced }).toEqual({ ...expected, balanced: true });
  const kept = await scene.kept(table, to);
  const sum = kept.ledger.reduce(addCounts, noCounts);
  expect(isBalanced(sum)).toBe(true);
  expect({ read: sum.read, loaded: sum.loaded, rejects: kept.rejects.length }).toEqual({
    read,
    loaded,
    rejects: rejected,
  });
  return kept;
}

/** A reject as cases write it down: line, `column code` of each reason, and the record. */
export function shown({ line, reasons, bytes }: StoredReject): [number | undefined, string[], string] {
  return [line, reasons.map(({ column, code }) => `${column ?? ""} ${code}`.trim()), Buffer.from(bytes).toString()];
}
