import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Contestant, expectCounts } from "./contestant.ts";
import type { Data } from "./data.ts";
import { type BenchServer, resetServer } from "./postgres.ts";
import { type Measured, runNode } from "./program.ts";
import { tableName } from "./table.ts";

export const program = fileURLToPath(new URL("../dist/src/cli/main.js", import.meta.url));

/** Compiles `dist`, which is what users run. */
export function build(): void {
  const script = fileURLToPath(new URL("../scripts/build.ts", import.meta.url));
  const { status } = spawnSync(process.execPath, [script, "--no-check"], { stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error("the build failed");
}

export interface MillraceLoad {
  readonly name: string;
  readonly data: Data;
  readonly contractPath: string;
  readonly flags: readonly string[];
}

/** The command line of a load. */
export function loadArgs({ data, contractPath, flags }: MillraceLoad, to: string): string[] {
  return [program, "load", data.path, "--to", to, "--contract", contractPath, "--no-header", "--json", ...flags];
}

/** Checks what the load said of itself. */
export function verifyDone({ name, data }: MillraceLoad, measured: Measured): void {
  const last = measured.stdout.trim().split("\n").at(-1) ?? "";
  const done = JSON.parse(last) as Record<string, number>;
  const loaded = data.good - data.refused;
  const wanted = { read: data.records, loaded, merged: 0, filtered: 0, rejected: data.records - loaded };
  expectCounts(name, done, wanted);
}

/** Millrace into PostgreSQL: contract checked, rejects stored, fenced and checkpointed. */
export function intoPostgres(server: BenchServer, load: MillraceLoad, tableSql?: string): Contestant {
  const { data } = load;
  return {
    name: load.name,
    reset: async () => {
      await resetServer(server);
      if (tableSql !== undefined) await server.run(tableSql);
    },
    run: () => runNode(loadArgs(load, server.url)),
    verify: async (measured) => {
      verifyDone(load, measured);
      const rows = await server.count(`select count(*) from ${tableName}`);
      const rejects = await server.count("select count(*) from millrace_reject");
      const ledger = await server.count("select sum(read) from millrace_ledger");
      const loaded = data.good - data.refused;
      const wanted = { rows: loaded, rejects: data.records - loaded, ledger: data.records };
      expectCounts(load.name, { rows, rejects, ledger }, wanted);
    },
  };
}
