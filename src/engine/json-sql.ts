import type { Contract } from "../core/contract.ts";
import { quoteLiteral } from "../core/identifier.ts";
import { timeMark } from "../ports/source.ts";
import { exactMark } from "./exact-json.ts";
import { faultColumn, numbered, rowColumn, textColumn } from "./own-columns.ts";
import { timeAsText } from "./time-text.ts";

export interface JsonLines {
  /** SQL of a relation of one text column `line`. */
  readonly lines: string;
  /** Whether some values carry `exactMark`. */
  readonly marked: boolean;
  /** Fields that the contract lacks are dropped; else they are a fault, as they would be lost without a word. */
  readonly ignoreExtra: boolean;
  /** Whether some values carry `timeMark`. */
  readonly times: boolean;
}

/** The contract's columns as text out of one JSON object per line: see `SourceSql`. */
export function jsonSql(contract: Contract, { lines, marked, ignoreExtra, times }: JsonLines): string {
  const names = Object.keys(contract.columns);
  const pointers = names.map((name) => quoteLiteral(`/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`));
  const columns = Object.values(contract.columns).map(({ type, format }, index) => {
    const field = `fields[${index + 1}]`;
    const plain = fieldText(field, pointers[index] ?? "", type === "json", marked);
    const text = times && format !== undefined ? timeText(field, format, plain) : plain;
    return `${text} as ${textColumn(index)}`;
  });
  const parsed = `select ${numbered}, line, ${faultSql(names, ignoreExtra)} as ${faultColumn} from ${lines}`;
  const fields = `case when ${faultColumn} is null then json_extract_string(line, [${pointers.join(", ")}]) end as fields`;
  return `select ${rowColumn}, ${[...columns, faultColumn].join(", ")} from (select *, ${fields} from (${parsed}))`;
}

/** A json column keeps a string as JSON, in its quotes; all others take its content. */
function fieldText(field: string, pointer: string, isJson: boolean, marked: boolean): string {
  const plain = isJson
    ? `case when ${field} is null then null when json_type(line, ${pointer}) = 'VARCHAR' then cast(json_extract(line, ${pointer}) as varchar) else ${field} end`
    : field;
  if (!marked) return plain;
  const mark = quoteLiteral(exactMark);
  return `case when starts_with(${field}, ${mark}) then substr(${field}, ${exactMark.length + 1}) else ${plain} end`;
}

/** A time that had no text of its own is given the one that the column's format asks for. */
function timeText(field: string, format: string, plain: string): string {
  const time = `substr(${field}, ${timeMark.length + 1})`;
  return `case when starts_with(${field}, ${quoteLiteral(timeMark)}) then ${timeAsText(time, format)} else ${plain} end`;
}

function faultSql(names: readonly string[], ignoreExtra: boolean): string {
  // Not by list_has_all and list_contains, which take half as long again.
  const unknown = `list_filter(json_keys(line), k -> k not in (${names.map(quoteLiteral).join(", ")}))`;
  const extra = `when len(${unknown}) > 0 then 'has fields that the contract lacks: ' || array_to_string(${unknown}, ', ')`;
  return `case when line is null or not json_valid(line) then 'is not valid JSON' when json_type(line) <> 'OBJECT' then 'is not a JSON object but ' || lower(json_type(line)) ${ignoreExtra ? "" : extra} end`;
}
