import type { Column } from "../../core/contract.ts";

const number = /^[+-]?(\d+([.,]\d+)*|[.]\d+)([eE][+-]?\d+)?%?$/;
const date = /^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d{1,2}:\d{2}.*)?$/;
const time = /^\d{1,2}:\d{2}(:\d{2}([.]\d+)?)?$/;
const uuid = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;
const truth = /^(true|false|t|f|yes|no|y|n|0|1)$/i;

/** Whether a text is a number, date, time, UUID or truth value rather than a name. */
export function looksTyped(text: string): boolean {
  return number.test(text) || date.test(text) || time.test(text) || uuid.test(text) || /^(true|false)$/i.test(text);
}

/** Whether a text may be a value of the column: a guess that tells headers from data, not a check. */
export function couldBe(text: string, column: Column): boolean {
  const value = text.trim();
  if (value === "") return true;
  switch (column.type) {
    case "integer":
    case "bigint":
    case "double":
    case "decimal":
      return number.test(value);
    case "boolean":
      return truth.test(value);
    case "date":
    case "timestamp":
      return /\d/.test(value);
    case "uuid":
      return uuid.test(value);
    case "json":
      return /^["[{\d-]|^(true|false|null)$/.test(value);
    case "text":
      return true;
  }
}
