import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pipeline } from "../../src/core/pipeline.ts";
import type { EngineRow } from "../../src/ports/engine.ts";
import type { RunEvent, RunSummary } from "../../src/runtime/events.ts";
import { runIn } from "../../src/runtime/run.ts";
import { Session } from "../../src/runtime/session.ts";

export interface Ran {
  readonly summary: RunSummary;
  readonly events: readonly RunEvent[];
  readonly rows: readonly EngineRow[];
}

/** A folder and an engine in which pipelines run into DuckDB files. */
export class Bench implements AsyncDisposable {
  readonly folder: string;
  readonly session: Session;

  private constructor(folder: string, session: Session) {
    this.folder = folder;
    this.session = session;
  }

  static async open(): Promise<Bench> {
    const session = await Session.open({ notice: () => undefined });
    return new Bench(await mkdtemp(join(tmpdir(), "millrace-steps-")), session);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, text: string): Promise<string> {
    await writeFile(this.path(name), text);
    return this.path(name);
  }

  /** Runs the pipeline and reads its table, in the order of `order`. */
  run(pipeline: Pipeline, order: string): Promise<Ran> {
    return this.session.within(async (session) => {
      const events: RunEvent[] = [];
      const summary = await runIn(session, pipeline, { onEvent: (event) => void events.push(event) });
      const sink = await session.sink(pipeline.to);
      await sink.open("read");
      const rows: EngineRow[] = [];
      for await (const piece of sink.query(`select * from "${summary.table}" order by ${order}`)) rows.push(...piece);
      return { summary, events, rows };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
