import type { Command } from "commander";
import { limit } from "../core/limit.ts";
import { parsePlace } from "../core/place.ts";
import type { Finding } from "../ports/sink.ts";
import { diagnoseMachine, diagnosePlace } from "../runtime/doctor.ts";
import { failed } from "../runtime/inspection.ts";
import { Session } from "../runtime/session.ts";
import { findingJson, hasFailed, printFindings } from "./findings.ts";
import { addMemoryFlag, given } from "./flags.ts";
import { withoutSecret } from "./invocation.ts";
import { stderr, stdout } from "./screen.ts";

interface DoctorFlags {
  readonly memory?: number;
  readonly stateSchema?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  $ millrace doctor                                        this machine
  $ millrace doctor duckdb:hr.db postgres://me@localhost/hr    and these places

Each finding is ok, warn or fail, with what to do about it. Exit code 1 when something fails. Changes nothing.`;

export function define(command: Command): void {
  command
    .description("Check this machine and the places you name.")
    .argument("[url...]", "duckdb:PATH, postgres://user@host/database, mysql://…, file:FOLDER; or a log")
    .option("--state-schema <name>", "schema of the tables that Millrace keeps");
  addMemoryFlag(command)
    .option("--json", "one JSON object a line on standard output")
    .addHelpText("after", examples)
    .action((urls: string[], flags: DoctorFlags) => doctor(urls, flags));
}

async function doctor(urls: readonly string[], flags: DoctorFlags): Promise<void> {
  const session = await Session.open({ notice: (text) => stderr.line(text), ...given({ memoryBytes: flags.memory }) });
  try {
    let isWell = tell("this machine", await diagnoseMachine(session.engine, flags.memory ?? limit.memoryBytes), flags);
    for (const url of urls) {
      const findings = await diagnosed(session, url, flags);
      isWell = tell(withoutSecret(url), findings, flags) && isWell;
    }
    if (flags.json === true) stdout.line(JSON.stringify({ event: "done", ok: isWell }));
    if (!isWell) process.exitCode = 1;
  } finally {
    await session.close();
  }
}

async function diagnosed(session: Session, url: string, flags: DoctorFlags): Promise<readonly Finding[]> {
  try {
    parsePlace(url);
  } catch (error) {
    return [failed("url", error)];
  }
  return diagnosePlace(session, url, flags.stateSchema);
}

function tell(place: string, findings: readonly Finding[], flags: DoctorFlags): boolean {
  if (flags.json === true) for (const finding of findings) stdout.line(findingJson({ place }, finding));
  else printFindings(place, findings, stdout);
  return !hasFailed(findings);
}
