import { quoteIdentifier, quoteLiteral } from "../core/identifier.ts";
import { isJsonObject } from "../core/json.ts";
import type { TransformStep } from "../core/pipeline.ts";
import type { Transform } from "../ports/transform.ts";
import { namesOf, stepOf } from "./columns.ts";

/**
 * Keeps the first of rows that are equal in these columns, or in all of them, and filters the others: over all files of
 * a run; of a log, within a batch.
 */
export function dedupe(...columns: readonly string[]): TransformStep {
  return stepOf("dedupe", { columns });
}

export const dedupeTransform: Transform = {
  name: "dedupe",
  whole: {
    isOfRun: true,
    worksByBatch: true,
    isNeeded: () => true,
    measure: async ({ columns: option }, { connection, relation, columns, laneColumn, recordColumn, tableName }) => {
      const names = namesOf("dedupe", option, columns, () => true).map(quoteIdentifier);
      const table = tableName();
      // The rows of the relation stand in the order of the files.
      const twins = `row_number() over (partition by ${names.join(", ")} order by rowid) > 1`;
      await connection.run(
        `create table ${table} as select ${laneColumn} as lane, ${recordColumn} as record from ${relation} qualify ${twins}`,
      );
      const [row] = await connection.all(`select count(*) as count from ${table}`);
      return { table, count: Number(row?.["count"]) };
    },
  },
  compile: ({ options, ofRun }, columns, { lane, record }) => {
    const names = namesOf("dedupe", options["columns"], columns, () => true).map(quoteIdentifier);
    if (isJsonObject(ofRun) && typeof ofRun["table"] === "string") {
      const twins = `select record from ${ofRun["table"]} where lane = ${quoteLiteral(lane)}`;
      return { keeps: `${record} is null or ${record} not in (${twins})` };
    }
    return { keeps: `row_number() over (partition by ${names.join(", ")} order by _millrace) = 1` };
  },
};
