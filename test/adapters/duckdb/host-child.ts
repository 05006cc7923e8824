import { setTimeout as sleep } from "node:timers/promises";
import { createInterface } from "node:readline";
import { deserialize, serialize } from "node:v8";
import { duckdbSink } from "../../../src/adapters/duckdb/index.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { Sink } from "../../../src/ports/sink.ts";
import { RowEngine } from "../../conformance/engine-rows.ts";
import { readExactly } from "./exact-table.ts";
import type { ReadAnswer } from "./host-process.ts";
import { attached } from "./scene.ts";

// A process of its own that has DuckDB files and shares them. It does what it is told by the lines of its input, each the
// task and its arguments as Node clones them, and answers each by a line.

const rows = await RowEngine.open();
const context = {
  ...rows.context,
  pause: async (ms: number, signal?: AbortSignal) => {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  },
};
const sinks = new Map<string, Sink[]>();

async function open(file: string): Promise<Sink> {
  const sink = duckdbSink(parsePlace(`duckdb:${file}`), {}, context);
  sinks.set(file, [...(sinks.get(file) ?? []), sink]);
  await sink.open();
  return sink;
}

const tasks: Readonly<Record<string, (...args: never[]) => Promise<unknown>>> = {
  /** Opens and shares a file by one more sink. */
  share: async (file: string) => (await open(file)).share?.(),
  /** Opens a file by one more sink, which does not share it. */
  hold: async (file: string) => void (await open(file)),
  /** Closes the sink of the file that was opened first. */
  close: async (file: string) => {
    const [first, ...others] = sinks.get(file) ?? [];
    sinks.set(file, others);
    await first?.close();
  },
  table: (file: string, table: string) => attached(rows, file, (connection) => readExactly(connection, table)),
  run: (file: string, sql: string) => attached(rows, file, (connection) => connection.run(sql)),
  all: (file: string, sql: string) => attached(rows, file, (connection) => connection.all(sql)),
  /** Reads a long answer through a sink that is not open. */
  read: async (file: string, sql: string): Promise<ReadAnswer> => {
    const before = process.memoryUsage.rss();
    const answer = { rows: 0, inOrder: true, chars: 0, grownBytes: 0 };
    const sink = duckdbSink(parsePlace(`duckdb:${file}`), {}, context);
    for await (const some of sink.query(sql)) {
      for (const { id, text } of some) {
        answer.inOrder &&= id === BigInt(answer.rows);
        answer.rows += 1;
        answer.chars += typeof text === "string" ? text.length : 0;
      }
      answer.grownBytes = Math.max(answer.grownBytes, process.memoryUsage.rss() - before);
    }
    await sink.close();
    return answer;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [task, ...args] = deserialize(Buffer.from(line, "base64")) as [string, ...never[]];
  let answer: unknown;
  try {
    answer = { value: await tasks[task]?.(...args) };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${serialize(answer).toString("base64")}\n`);
}
for (const sink of [...sinks.values()].flat()) await sink.close();
await rows[Symbol.asyncDispose]();
