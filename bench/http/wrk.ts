import { fileURLToPath } from "node:url";
import { canInstall, installPackages } from "../../scripts/services/debian.ts";
import { findProgram } from "../../test/servers/program.ts";
import { runProgram } from "../program.ts";

/** What wrk counted. */
export interface WrkReport {
  readonly requests: number;
  readonly microseconds: number;
  readonly bytes: number;
  /** Answers that are errors, and whatever else went wrong. */
  readonly errors: number;
}

const report = fileURLToPath(new URL("./wrk-report.lua", import.meta.url));

/** Finds the load generator wrk, or installs it from Debian. Undefined where neither is possible. */
export async function obtainWrk(): Promise<string | undefined> {
  const found = findProgram("wrk");
  if (found !== undefined || !canInstall()) return found;
  await installPackages(["wrk"]);
  return findProgram("wrk");
}

/**
 * Asks for the URL for a time, over so many connections that stay open, each as soon as it has its answer. A script says
 * what is asked, and must end as `wrk-report.lua` does.
 */
export async function runWrk(
  wrk: string,
  url: string,
  connections: number,
  seconds: number,
  script = report,
  scriptArgs: readonly string[] = [],
): Promise<WrkReport> {
  const args = ["--threads", "1", "--connections", String(connections), "--duration", `${seconds}s`];
  // An answer that is late is no failure: it shows in the rate.
  args.push("--timeout", "30s");
  const { stdout } = await runProgram(wrk, [...args, "--script", script, url, ...scriptArgs]);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as WrkReport;
}
