import { fileURLToPath } from "node:url";
import { freePort, inFolder } from "../../test/servers/place.ts";
import { type Service, startService } from "../http/service.ts";
import { program } from "../millrace.ts";
import { runProgram } from "../program.ts";
import type { PacedReport } from "./paced.ts";

const unstored = fileURLToPath(new URL("../rivals/unstored-fleet.ts", import.meta.url));
const paced = fileURLToPath(new URL("./paced.ts", import.meta.url));

/** `millrace start --apps fleet` of the build, with its data in a folder of its own. */
export function startFleet(role: "serve" | "all", settings: Record<string, string> = {}): Promise<Service> {
  return inFolder("bench", undefined, async (folder) => {
    const port = await freePort();
    const args = [
      program,
      "start",
      "--json",
      "--apps",
      "fleet",
      "--role",
      role,
      "--port",
      String(port),
      "--data",
      "data",
    ];
    const sets = Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
    const command = process.execPath;
    return startService({ name: "millrace", folder, port, command, args: [...args, ...sets], readyPath: "/healthz" });
  });
}

/** The same routes, which store nothing. */
export function startUnstored(): Promise<Service> {
  return inFolder("bench", undefined, async (folder) => {
    const port = await freePort();
    const args = [unstored, String(port), "data"];
    return startService({ name: "unstored", folder, port, command: process.execPath, args, readyPath: "/healthz" });
  });
}

/** Posts single events at a steady rate. Throws when one is not answered as stored. */
export async function postPaced(url: string, rate: number, seconds: number): Promise<PacedReport> {
  const { stdout } = await runProgram(process.execPath, [
    paced,
    url,
    String(Math.max(1, Math.round(rate))),
    String(seconds),
    "64",
  ]);
  const report = JSON.parse(stdout) as PacedReport;
  if (report.answered !== report.sent) throw new Error(`${report.answered} of ${report.sent} events were answered`);
  return report;
}
