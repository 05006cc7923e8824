import { quoteIdentifier, quoteLiteral } from "../core/identifier.ts";
import type { JsonObject } from "../core/json.ts";
import type { TransformStep } from "../core/pipeline.ts";
import type { SinkColumn } from "../ports/rows.ts";
import type { Compiled, Transform } from "../ports/transform.ts";
import { columnNamed, stepInvalid, stepOf } from "./columns.ts";
import { stateNames, zipStates } from "./states.ts";

/** The columns that hold the parts of an address. */
export interface AddressColumns {
  readonly state: string;
  readonly country: string;
  readonly postCode?: string;
}

/** What stands for state and country of a place that is in no state. */
const outside = "US-OUT";

/**
 * Gives states of the USA in any spelling their full name: in a column of JSON with the fields `state`, `country` and
 * `postCode`, or in columns of their own. A missing state is taken from the ZIP code, where the country does not say that
 * it is none. A place whose state cannot be known gets `US-OUT` as state and country.
 */
export function addresses(columns: string | AddressColumns): TransformStep {
  const options = typeof columns === "string" ? { column: columns } : { ...columns };
  return stepOf("addresses", options);
}

export const addressesTransform: Transform = {
  name: "addresses",
  compile: ({ options }, columns) =>
    typeof options["column"] === "string" ? inJson(options["column"], columns) : inColumns(options, columns),
};

/** The state's full name, computed once for each row. */
const aside = "_millrace_state";

function inJson(name: string, columns: readonly SinkColumn[]): Compiled {
  const { type } = textOrJson(name, columns);
  const column = quoteIdentifier(name);
  const isObject = `json_valid(${column}) and json_type(${column}) = 'OBJECT'`;
  const field = (path: string): string => `json_extract_string(${column}, '$.${path}')`;
  const state = stateSql(field("state"), field("country"), field("postCode"));
  const sql = `case when ${column} is not null and ${isObject} then ${withState(column)} else ${column} end`;
  return {
    asides: { [aside]: `case when ${column} is not null and ${isObject} then ${state} end` },
    values: { [name]: { sql: type === "json" ? `cast(${sql} as json)` : `cast(${sql} as varchar)` } },
  };
}

/** The object with its state, and country where there is none, exchanged in their places or added at the end. */
function withState(column: string): string {
  const pointer = "'/' || replace(replace(k, '~', '~0'), '/', '~1')";
  const shown = `cast(to_json(coalesce(${aside}, '${outside}')) as varchar)`;
  const member = `cast(to_json(k) as varchar) || ':' || case when k = 'state' then ${shown} when k = 'country' and ${aside} is null then '"${outside}"' else cast(json_extract(${column}, ${pointer}) as varchar) end`;
  const lacks = (name: string): string => `not list_contains(json_keys(${column}), '${name}')`;
  const added = `case when ${lacks("state")} then ['"state":' || ${shown}] else [] end || case when ${lacks("country")} and ${aside} is null then ['"country":"${outside}"'] else [] end`;
  const changed = `'{' || array_to_string(list_transform(json_keys(${column}), k -> ${member}) || ${added}, ',') || '}'`;
  const isRight = `${aside} = json_extract_string(${column}, '$.state')`;
  return `case when ${isRight} then ${column} else ${changed} end`;
}

function inColumns(options: JsonObject, columns: readonly SinkColumn[]): Compiled {
  const named = (part: string): string => {
    const name = options[part];
    if (typeof name !== "string") {
      throw stepInvalid(
        "addresses",
        `it does not name the column of the ${part}`,
        "Give { state, country, postCode }.",
      );
    }
    return textOrJson(name, columns).name;
  };
  const [stateName, countryName] = [named("state"), named("country")];
  const [state, country] = [quoteIdentifier(stateName), quoteIdentifier(countryName)];
  const postCode = options["postCode"] === undefined ? "null" : quoteIdentifier(named("postCode"));
  return {
    asides: { [aside]: stateSql(state, country, postCode) },
    values: {
      [stateName]: { sql: `coalesce(${aside}, '${outside}')` },
      [countryName]: { sql: `case when ${aside} is null then '${outside}' else ${country} end` },
    },
  };
}

function textOrJson(name: string, columns: readonly SinkColumn[]): SinkColumn {
  const column = columnNamed("addresses", columns, name);
  if (column.type === "text" || column.type === "json") return column;
  throw stepInvalid("addresses", `"${name}" is ${column.type}`, "Addresses and their parts are text, or json.");
}

/** The full name of the state; null where it cannot be known. */
function stateSql(state: string, country: string, postCode: string): string {
  const entries = Object.entries(stateNames).flatMap(([code, name]) => [
    [code, name] as const,
    [name.toUpperCase().replaceAll(" ", ""), name] as const,
  ]);
  const keys = entries.map(([key]) => quoteLiteral(key)).join(", ");
  const names = entries.map(([, name]) => quoteLiteral(name)).join(", ");
  // `US-CA`, `u.s. ca`, ` New York ` and `NEW-YORK` are the same as `CA` and `NEWYORK`.
  const letters = (text: string): string => `regexp_replace(upper(${text}), '[^A-Z]', '', 'g')`;
  const bare = `regexp_replace(upper(trim(${state})), '^U[.]?S[.]?(A[.]?)?[^A-Z]+', '')`;
  const named = `map([${keys}], [${names}])[${letters(bare)}]`;
  const isHome = `coalesce(${letters(country)}, '') in ('', 'US', 'USA', 'UNITEDSTATES', 'UNITEDSTATESOFAMERICA')`;
  const isZip = `regexp_full_match(trim(${postCode}), '[0-9]{5}([- ]?[0-9]{4})?')`;
  const digits = `try_cast(left(trim(${postCode}), 3) as integer)`;
  const ranges = zipStates.toReversed().map(([from, to, code]) => {
    return `when ${digits} between ${from} and ${to} then ${quoteLiteral(stateNames[code] ?? code)}`;
  });
  return `coalesce(${named}, case when ${isHome} and ${isZip} then case ${ranges.join(" ")} end end)`;
}
