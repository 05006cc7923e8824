import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canInstall, installPackages } from "../scripts/services/debian.ts";
import { findProgram } from "../test/servers/program.ts";
import { type Contestant, expectCounts } from "./contestant.ts";
import type { Data } from "./data.ts";
import { type BenchServer, resetServer } from "./postgres.ts";
import { runProgram } from "./program.ts";
import { tableName, tableSql } from "./table.ts";

/** Finds pgloader, or installs it from Debian. Undefined where neither is possible. */
export async function obtainPgloader(): Promise<string | undefined> {
  const found = findProgram("pgloader");
  if (found !== undefined || !canInstall()) return found;
  await installPackages(["pgloader"]);
  return findProgram("pgloader");
}

/** pgloader with the cleaned file. */
export async function pgloader(program: string, server: BenchServer, clean: Data, folder: string): Promise<Contestant> {
  const command = join(folder, "hired.load");
  const columns = "id, name, datetime, department_id, job_id";
  const script = `LOAD CSV FROM '${clean.path}' (${columns})
  INTO ${server.url.replace(/^postgres:/, "postgresql:")} TARGET TABLE public.${tableName} (${columns})
  WITH fields optionally enclosed by '"', fields terminated by ',';
`;
  await writeFile(command, script);
  return {
    name: "pgloader, cleaned file",
    reset: async () => {
      await resetServer(server);
      await server.run(tableSql(tableName));
    },
    run: () => runProgram(program, ["--root-dir", folder, "--quiet", command]),
    verify: async () => {
      const rows = await server.count(`select count(*) from ${tableName}`);
      expectCounts("pgloader", { rows }, { rows: clean.good });
    },
  };
}
