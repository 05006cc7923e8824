import { findProgram } from "../test/servers/program.ts";
import { versionFolders } from "../test/servers/postgres.ts";
import { type Contestant, expectCounts } from "./contestant.ts";
import type { Data } from "./data.ts";
import { type BenchServer, resetServer } from "./postgres.ts";
import { runProgram } from "./program.ts";
import { tableName, tableSql } from "./table.ts";

/** `\copy` of the cleaned file: no check, no reject, no position; what one stream into the server can do. */
export function psqlCopy(server: BenchServer, clean: Data): Contestant {
  const psql = findProgram("psql", versionFolders());
  if (psql === undefined) throw new Error("psql is not on this machine: npm run services installs it");
  const copy = `\\copy ${tableName} from '${clean.path}' with (format csv)`;
  return {
    name: "psql \\copy, cleaned file",
    reset: async () => {
      await resetServer(server);
      await server.run(tableSql(tableName));
    },
    run: () => runProgram(psql, ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--command", copy, server.url]),
    verify: async () => {
      const rows = await server.count(`select count(*) from ${tableName}`);
      expectCounts("psql", { rows }, { rows: clean.good });
    },
  };
}
