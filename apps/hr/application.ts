import { join } from "node:path";
import {
  addInsightRoutes,
  addTableRoutes,
  application,
  type Contract,
  type Pipeline,
  pipeline,
  setting,
} from "../../src/index.ts";
import { addBackupRoutes, TableBackups } from "./backups.ts";
import { tables } from "./tables.ts";
import { addUpload } from "./upload.ts";

const settings = {
  to: setting.place("duckdb:{data}/hr.duckdb", "where the tables are"),
  backup: setting.place("file:{data}/backups", "where backups are kept: a folder or s3://BUCKET/PREFIX"),
  backupKeep: setting.count(30, "complete backups kept of each table", { min: 1, max: 100_000 }),
  backupSchedule: setting.text(
    "",
    'when all tables are backed up: a cron pattern in UTC, such as "0 3 * * *"; empty for never',
  ),
  inbox: setting.place("file:{data}/inbox", "folder that is followed; files of any size named after their table"),
};

/** Departments, jobs and hired employees: CSV in, backups, insights. */
export const hr = application({
  name: "hr",
  about: "CSV uploads of departments, jobs and hired employees, with backup, restore and insights",
  settings,
  contracts: tables,
  async open(context) {
    const { to, backup, backupKeep: keep, backupSchedule, inbox } = context.settings;
    const warehouse = await context.warehouse(to, tables);
    const insights = await context.insights(new URL("insights/", import.meta.url), warehouse);
    const changed = (table: string): void => insights.changed(table);
    const backups = await context.backups(backup);
    const tableBackups = new TableBackups({ warehouse, backups, keep, changed, now: () => Date.now() });
    if (backupSchedule !== "") context.schedule("hr.backupSchedule", backupSchedule, () => tableBackups.makeAll());
    return {
      routes(app) {
        addUpload(app, { warehouse, changed });
        addBackupRoutes(app, tableBackups);
        addInsightRoutes(app, insights);
        addTableRoutes(app, { warehouse, changed });
      },
      close: () => tableBackups.close(),
      pipelines: tables.map((contract) => inboxPipeline(contract, inbox, to)),
    };
  },
});

/** Files of any size, over the contract that uploads go through. */
function inboxPipeline(contract: Contract, inbox: string, to: string): Pipeline {
  // The folder is meant as it is called, whatever a pattern would make of it.
  const folder = inbox.replaceAll(/[[\]{}*?]/g, "[$&]");
  const files = join(folder, `${contract.table}*.csv`);
  return pipeline(`hr:inbox:${contract.table}`)
    .from(files, { header: false })
    .check(contract)
    .to(to, { lineage: true });
}
