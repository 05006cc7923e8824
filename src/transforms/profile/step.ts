import type { Json } from "../../core/json.ts";
import { jsonValue } from "../../core/json-value.ts";
import type { TransformStep } from "../../core/pipeline.ts";
import type { Transform } from "../../ports/transform.ts";
import { stepOf } from "../columns.ts";
import { measureColumns, profileOf } from "./measure.ts";

/** Looks at all rows that stand at this point and tells what they show; they go on as they are. */
export function profile(): TransformStep {
  return stepOf("profile", {});
}

export const profileTransform: Transform = {
  name: "profile",
  whole: {
    isOfRun: true,
    isNeeded: () => true,
    measure: async (_, whole) => {
      const relation = { relation: whole.relation, rows: whole.rows, row: "rowid" };
      const columns = await whole.read(
        whole.columns.map(({ name }) => name),
        false,
      );
      const measured = await measureColumns(whole.connection, relation, columns);
      const found = await profileOf(whole.connection, relation, measured);
      return JSON.parse(
        JSON.stringify(found, (_key, value: unknown) => (typeof value === "bigint" ? jsonValue(value) : value)),
      ) as Json;
    },
  },
  compile: () => ({}),
};
