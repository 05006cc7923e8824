import type { Command } from "commander";
import { keyColumns } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { jsonValue } from "../core/json-value.ts";
import type { LedgerEntry } from "../core/ledger.ts";
import type { Sink } from "../ports/sink.ts";
import { keptContract } from "../runtime/kept-pipeline.ts";
import { openToRead } from "../runtime/reading.ts";
import { Session } from "../runtime/session.ts";
import { type PlaceFate, type Trace, tracePlace, traceRow } from "../runtime/trace.ts";
import { addToFlag, needed } from "./flags.ts";
import { rowLines } from "./grid.ts";
import { rejectJson } from "../runtime/reject-json.ts";
import { reasonText, recordText } from "./reject-lines.ts";
import { stderr, stdout } from "./screen.ts";
import { safeText } from "./shown.ts";

interface WhyFlags {
  readonly to?: string;
  readonly stateSchema?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  $ millrace why hired 42 --to duckdb:hr.db                  file and line of the row with that key
  $ millrace why orders shop=7,id=42 --to duckdb:hr.db       a key of two columns
  $ millrace why in/hired.csv:43 --to duckdb:hr.db           the way back: the row or reject that line 43 became
  $ millrace why orders/0:17 --to duckdb:hr.db               the same for offset 17 of lane 0 of the log orders

A row names its line, or its offset, when it was loaded with --lineage into a table that Millrace created.`;

export function define(command: Command): void {
  command
    .description("Where a row came from, or what became of a line or of a record of a log.")
    .argument("<table>", "the table; or FILE:LINE, or LOG/LANE:OFFSET")
    .argument("[key]", "the row's key: 42, or a=1,b=2");
  addToFlag(command)
    .option("--state-schema <name>", "schema of the tables that Millrace keeps")
    .option("--json", "one JSON object a line on standard output")
    .addHelpText("after", examples)
    .action((table: string, key: string | undefined, flags: WhyFlags) => why(table, key, flags));
}

async function why(subject: string, key: string | undefined, flags: WhyFlags): Promise<void> {
  const line = /^(.+):(\d+)$/.exec(subject);
  const session = await Session.open({ notice: (text) => stderr.line(text) });
  try {
    const sink = await openToRead(session, needed(flags.to), flags.stateSchema);
    try {
      if (key !== undefined) tellTraces(await traceRow(sink, subject, await parseKey(sink, subject, key)), flags);
      else if (line?.[1] !== undefined) tellFates(await fatesOf(sink, line[1], BigInt(line[2] ?? 0)), subject, flags);
      else throw usage(`"${subject}" is neither a table with a key nor FILE:LINE or LOG/LANE:OFFSET`);
    } catch (error) {
      throw sink.explain(error);
    }
  } finally {
    await session.close();
  }
}

/** `42` for one key column, `a=1,b=2` for several. */
async function parseKey(sink: Sink, table: string, text: string): Promise<Record<string, string>> {
  const contract = await keptContract(sink, table);
  const key = contract === undefined ? [] : keyColumns(contract);
  const pairs = text.split(",").map((part): [string, string] => {
    const at = part.indexOf("=");
    return at < 1 ? ["", part] : [part.slice(0, at).trim(), part.slice(at + 1)];
  });
  const areColumns = pairs.every(([name]) => name !== "" && (contract === undefined || name in contract.columns));
  if (areColumns) return Object.fromEntries(pairs);
  const [column, another] = key;
  if (column !== undefined && another === undefined) return { [column]: text };
  const columns = key.length > 0 ? key.map((name) => `${name}=…`).join(",") : "column=value";
  throw usage(`The key of "${table}" is not one column that is known; write it as ${columns}`);
}

async function fatesOf(sink: Sink, source: string, place: bigint): Promise<PlaceFate[]> {
  const fates = await tracePlace(sink, source, place);
  if (fates.length > 0) return fates;
  throw new MillraceError(
    "ROW_UNKNOWN",
    `No committed batch holds line ${place} of ${source}, or a record at that offset`,
    {
      remedy:
        "Name the file or the log's lane as the ledger does (column source of millrace_ledger), which is as it was when it was loaded.",
      at: { source },
    },
  );
}

function tellTraces(traces: readonly Trace[], flags: WhyFlags): void {
  for (const trace of traces) {
    if (flags.json === true) stdout.line(traceJson(trace));
    else for (const line of traceLines(trace)) stdout.line(line);
  }
}

function traceJson({ source, replayOf, record, at, batch, definition, before }: Trace): string {
  const replayed = replayOf === undefined ? {} : { replayOf: String(replayOf) };
  return JSON.stringify({
    event: "row",
    source,
    ...(at === undefined ? {} : { [at.unit]: jsonValue(at.number), exact: at.exact }),
    ...replayed,
    record,
    ...batchJson(batch),
    definition,
    ...(before.length === 0 ? {} : { before: before.map((hop) => ({ ...batchJson(hop.batch), record: hop.record })) }),
  });
}

function batchJson({
  batch,
  pipeline,
  version,
  run,
  table,
  startedAt,
  committedAt,
}: LedgerEntry): Record<string, string> {
  return { batch: String(batch), pipeline, version, run, table, startedAt, committedAt };
}

function traceLines({ source, replayOf, at, record, batch, definition, before }: Trace): string[] {
  const place = at === undefined ? source : `${source}:${at.number}`;
  const about = at?.exact === false ? ` (or behind: ${notOneToOne[at.unit]}; it is record ${record ?? 0} of it)` : "";
  const replayed = replayOf === undefined ? [] : [`  replayed  reject ${replayOf}, as it was or corrected`];
  const stages = before.flatMap((hop) => [
    `  through   ${safeText(hop.batch.table)}`,
    ...batchLines(hop.batch),
    ...stepLines(hop.definition),
  ]);
  const last = [...batchLines(batch), ...stepLines(definition)];
  return [stdout.style("bold", safeText(place)) + about, ...replayed, ...last, ...stages];
}

function batchLines(batch: LedgerEntry): string[] {
  const { read, loaded, merged, filtered, rejected } = batch;
  return [
    `  batch     ${batch.batch}: read ${read} = loaded ${loaded} + merged ${merged} + filtered ${filtered} + rejected ${rejected}`,
    `  committed ${batch.committedAt}`,
    `  pipeline  ${safeText(batch.pipeline)}, version ${batch.version}, into ${safeText(batch.table)}`,
  ];
}

function stepLines(definition: JsonObject | undefined): string[] {
  const steps = definition?.["steps"];
  const list: readonly unknown[] = Array.isArray(steps) ? steps : [];
  if (list.length === 0) return ["  steps     none"];
  return list.map((step, index) => {
    const { kind, sql, map } = isJsonObject(step) ? (step as Readonly<Record<string, unknown>>) : {};
    return `  step ${index + 1}    ${safeText(`${String(kind)} ${String(sql ?? map)}`)}`;
  });
}

const notOneToOne = {
  line: "records of this batch span several lines",
  offset: "offsets of this batch have gaps",
} as const;

function tellFates(fates: readonly PlaceFate[], subject: string, flags: WhyFlags): void {
  for (const { batch, unit, rejects, rows, table, exact } of fates) {
    if (flags.json === true) {
      const kept = rejects.map((reject) => ({ id: String(reject.id), state: reject.state, ...rejectJson(reject) }));
      stdout.line(
        JSON.stringify({ event: unit, ...batchJson(batch), exact, rejects: kept, rows: rows.map(jsonValue) }),
      );
      continue;
    }
    stdout.line(stdout.style("bold", safeText(subject)));
    for (const line of batchLines(batch)) stdout.line(line);
    for (const reject of rejects) {
      stdout.line(`  became    reject ${reject.id} (${reject.state}): ${reject.reasons.map(reasonText).join("; ")}`);
      stdout.line(`            ${recordText(reject)}`);
    }
    if (rows.length > 0) stdout.line(`  became    a row of ${safeText(table)}`);
    for (const line of rows.length > 0 ? rowLines(rows, stdout) : []) stdout.line(`    ${line}`);
    if (rejects.length + rows.length === 0) stdout.line(`  became    ${exact ? noRow : noRecord(unit)}`);
  }
}

const noRow = "a row, which carries no lineage, or was filtered or changed since";
const noRecord = (unit: PlaceFate["unit"]): string => `no reject; which row is not known, as ${notOneToOne[unit]}`;

function usage(what: string): MillraceError {
  return new MillraceError("USAGE", what, { remedy: "millrace why --help explains it, with examples." });
}
