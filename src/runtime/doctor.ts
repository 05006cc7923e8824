import { mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { freemem, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { limit } from "../core/limit.ts";
import { parsePlace } from "../core/place.ts";
import type { Engine } from "../engine/engine.ts";
import { filePosition, isDone } from "../formats/position.ts";
import type { Log, LogLane } from "../ports/log.ts";
import type { Queue, QueueDepth } from "../ports/queue.ts";
import type { Finding, Sink } from "../ports/sink.ts";
import { failed } from "./inspection.ts";
import { openToRead, placeExists } from "./reading.ts";
import { isLog, isQueue, openLog, openQueue } from "./schemes.ts";
import type { Session } from "./session.ts";

const MiB = 1024 * 1024;

/** Looks at what a run needs of this machine. */
export async function diagnoseMachine(engine: Engine, memoryBytes: number): Promise<Finding[]> {
  return [
    { check: "node", state: "ok", detail: `${process.version} on ${process.platform} ${process.arch}` },
    memoryFinding(memoryBytes),
    await folderFinding("temporary folder", tmpdir(), memoryBytes),
    ...(process.platform === "linux" ? [await folderFinding("shared memory", "/dev/shm", 64 * MiB)] : []),
    await engineFinding(engine),
    clockFinding(new Date()),
  ];
}

function memoryFinding(budget: number): Finding {
  // Without a limit Node answers 0 or a number beyond any machine.
  const total = Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
  const available = Math.min(total, process.availableMemory() || freemem());
  const detail = `${mb(available)} free of ${mb(total)}; the budget is ${mb(budget)}`;
  if (available >= budget) return { check: "memory", state: "ok", detail };
  return { check: "memory", state: "warn", detail, remedy: "End other programs, or give a smaller --memory." };
}

async function folderFinding(check: string, folder: string, wanted: number): Promise<Finding> {
  try {
    const { bavail, bsize } = await statfs(folder);
    const probe = await mkdtemp(join(folder, "millrace-"));
    try {
      await writeFile(join(probe, "probe"), "millrace");
    } finally {
      await rm(probe, { recursive: true, force: true });
    }
    const detail = `${folder} has ${mb(bavail * bsize)} free and can be written`;
    if (bavail * bsize >= wanted) return { check, state: "ok", detail };
    return {
      check,
      state: "warn",
      detail,
      remedy: `Make room: at least ${mb(wanted)}, or set TMPDIR to another folder.`,
    };
  } catch (cause) {
    const state = check === "temporary folder" ? "fail" : "warn";
    return {
      check,
      state,
      detail: `${folder}: ${(cause as Error).message}`,
      remedy: "Set TMPDIR to a folder that can be written.",
    };
  }
}

async function engineFinding(engine: Engine): Promise<Finding> {
  try {
    const connection = await engine.connect();
    try {
      const [row] = await connection.all("select version() as version");
      const version = row?.["version"];
      return { check: "engine", state: "ok", detail: `DuckDB ${typeof version === "string" ? version : ""} works` };
    } finally {
      connection.close();
    }
  } catch (error) {
    return failed("engine", error);
  }
}

/** Positions do not depend on the clock; times in ledger and rejects do. */
function clockFinding(now: Date): Finding {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const detail = `${now.toISOString()} (local zone ${zone})`;
  if (now.getUTCFullYear() >= 2025) return { check: "clock", state: "ok", detail };
  return {
    check: "clock",
    state: "warn",
    detail,
    remedy: "Set the clock: the times of batches and rejects come from it.",
  };
}

/** Looks at a place: whether it answers, what it says of itself, and what Millrace keeps in it. */
export async function diagnosePlace(session: Session, url: string, stateSchema?: string): Promise<Finding[]> {
  if (isLog(parsePlace(url))) return diagnoseLog(session, url);
  if (isQueue(parsePlace(url))) return diagnoseQueue(session, url);
  try {
    const sink = await openToRead(session, url, stateSchema);
    const own = (await sink.diagnose?.()) ?? [];
    return [
      await connectionFinding(session, sink),
      ...own,
      { check: "guarantee", state: "ok", detail: `${sink.facts.guarantee}: ${sink.facts.how}` },
      ...(await keptFindings(sink)),
    ];
  } catch (error) {
    return [failed("connection", error)];
  }
}

/** The same of a log, which is not created by that. */
async function diagnoseLog({ context }: Session, url: string): Promise<Finding[]> {
  const before = context.now();
  let log: Log | undefined;
  try {
    log = await openLog(url, context);
    if (!(await placeExists(url))) return [lanesFinding([])];
    // One on a disk is there by now, and only one that is open can be looked at; opening another kind would make it.
    if (parsePlace(url).path !== "") await log.open();
    const lanes = await log.lanes();
    const { shown, facts } = log;
    return [
      { check: "connection", state: "ok", detail: `${shown} answers in ${context.now() - before} ms` },
      { check: "durability", state: "ok", detail: facts.durability },
      lanesFinding(lanes),
    ];
  } catch (error) {
    return [failed("connection", log?.explain(error) ?? error)];
  } finally {
    await log?.close();
  }
}

/** The same of a queue, which is not created by that either. */
async function diagnoseQueue({ context }: Session, url: string): Promise<Finding[]> {
  const before = context.now();
  let queue: Queue | undefined;
  try {
    queue = await openQueue(url, context);
    const depth = await queue.depth();
    const { shown, facts } = queue;
    return [
      { check: "connection", state: "ok", detail: `${shown} answers in ${context.now() - before} ms` },
      { check: "durability", state: "ok", detail: facts.durability },
      ...depthFindings(depth),
    ];
  } catch (error) {
    return [failed("connection", queue?.explain(error) ?? error)];
  } finally {
    await queue?.close();
  }
}

function depthFindings(depth: QueueDepth | undefined): Finding[] {
  if (depth === undefined) {
    const remedy = "It is made when a pipeline or an application first opens it.";
    return [{ check: "depth", state: "warn", detail: "there is no such queue yet", remedy }];
  }
  const { waiting, consumers, setAside } = depth;
  const found: Finding = { check: "depth", state: "ok", detail: `${waiting} messages wait, ${consumers} consume` };
  if (setAside === 0) return [found];
  const remedy = "Each says why in its header millrace-reason: see docs/queues.md.";
  return [found, { check: "dead letters", state: "warn", detail: `${setAside} were set aside`, remedy }];
}

function lanesFinding(lanes: readonly LogLane[]): Finding {
  if (lanes.length === 0) {
    const remedy =
      "They are made, or a stream of others becomes one, when a pipeline or an application first opens the log.";
    return { check: "lanes", state: "warn", detail: "none is there yet", remedy };
  }
  const appended = lanes.reduce((sum, lane) => sum + (lane.appended ?? lane.end), 0n);
  return { check: "lanes", state: "ok", detail: `${lanes.length}, with ${appended} records appended so far` };
}

async function connectionFinding(session: Session, sink: Sink): Promise<Finding> {
  const before = session.context.now();
  for await (const _ of sink.query("select 1 as one")) break;
  return { check: "connection", state: "ok", detail: `${sink.shown} answers in ${session.context.now() - before} ms` };
}

async function keptFindings(sink: Sink): Promise<Finding[]> {
  const rejects = await sink.records.countRejects({ state: "open" });
  const ledger = await sink.records.ledger({ limit: 1000 });
  const batches =
    ledger.length === 1000 ? "1000 batches or more" : ledger.length === 1 ? "1 batch" : `${ledger.length} batches`;
  const tables = [...new Set(ledger.map((entry) => entry.table))];
  const written = tables.length === 0 ? "" : ` of ${tables.slice(0, limit.rejectsShown).join(", ")}`;
  const kept: Finding = { check: "ledger", state: "ok", detail: `${batches}${written}` };
  return [kept, rejectFinding(rejects), await laneFinding(sink, [...new Set(ledger.map((entry) => entry.pipeline))])];
}

function rejectFinding(count: number): Finding {
  if (count === 0) return { check: "rejects", state: "ok", detail: "none is open" };
  const remedy = "See why with millrace rejects list --to URL, and send them again with rejects replay.";
  return { check: "rejects", state: "warn", detail: `${count} are open`, remedy };
}

async function laneFinding(sink: Sink, pipelines: readonly string[]): Promise<Finding> {
  const checkpoints = (await Promise.all(pipelines.map((pipeline) => sink.records.checkpoints(pipeline)))).flat();
  // Only lanes of files have an end to be short of; one that was split is as done as its parts.
  const unfinished = checkpoints.filter(({ position }) => {
    const inFile = filePosition(position);
    return inFile.sizeBytes > 0 && inFile.split === undefined && !isDone(inFile);
  });
  const detail = `${checkpoints.length} known, ${unfinished.length} not read to the end`;
  if (unfinished.length === 0) return { check: "lanes", state: "ok", detail };
  const names = [...new Set(unfinished.map(({ source }) => source))].slice(0, limit.rejectsShown).join(", ");
  return {
    check: "lanes",
    state: "warn",
    detail: `${detail}: ${names}`,
    remedy: "Run the same load or pipeline again: it goes on.",
  };
}

function mb(bytes: number): string {
  return `${Math.round(bytes / MiB).toLocaleString("en-US")} MB`;
}
