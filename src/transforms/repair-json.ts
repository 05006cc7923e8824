import { quoteIdentifier } from "../core/identifier.ts";
import type { TransformStep } from "../core/pipeline.ts";
import type { Transform } from "../ports/transform.ts";
import { columnNamed, namesOf, stepInvalid, stepOf } from "./columns.ts";
import { jsonOfLoose } from "./loose-json.ts";

/**
 * Makes JSON of texts that mean it, such as Python dicts, and takes the blanks off the texts in it. A value that cannot be
 * made out stays as it is and is counted. Without argument it looks in all text columns at what begins with a bracket.
 */
export function repairJson(...columns: readonly string[]): TransformStep {
  return stepOf("repairJson", { columns });
}

/** What JSON does not need: blanks at the beginning or end of a text. */
const padded = `'"\\s|\\s"'`;

export const repairJsonTransform: Transform = {
  name: "repairJson",
  compile: ({ options }, columns) => {
    const { columns: named } = options;
    const isNamed = Array.isArray(named) && named.length > 0;
    const names = namesOf("repairJson", named, columns, ({ type }) => type === "text");
    const texts = names.map((name) => {
      if (columnNamed("repairJson", columns, name).type !== "text") {
        throw stepInvalid(
          "repairJson",
          `"${name}" is no text`,
          "Name columns of text; a column of json is JSON already.",
        );
      }
      const column = quoteIdentifier(name);
      const looksLike = isNamed ? "" : `regexp_matches(${column}, '^\\s*[{\\[(]') and `;
      const needs = `${looksLike}(not json_valid(${column}) or regexp_matches(${column}, ${padded}))`;
      return { column: name, needs, change: jsonOfLoose };
    });
    return { texts };
  },
};
