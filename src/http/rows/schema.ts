import type { Contract } from "../../core/contract.ts";
import { keyColumns } from "../../core/contract.ts";
import { jsonSchemaOf } from "../../core/json-schema.ts";
import { limit } from "../../core/limit.ts";
import { standardTake } from "../../core/row-query.ts";
import { errorAnswers } from "../openapi.ts";
import { mediaTypes } from "./media.ts";

/** What the document says of the routes of one table, or of any table when the contract is not known yet. */
export interface RowSchemas {
  readonly list: object;
  readonly one: object;
  readonly add: object;
  readonly merge: object;
  readonly replace: object;
  readonly change: object;
  readonly remove: object;
  readonly removeAll: object;
}

export interface Described {
  /** Undefined for any table. */
  readonly contract: Contract | undefined;
  /** Names of the parameters of a row's address. */
  readonly parameters: readonly string[];
  readonly tag: string;
  /** What a removed row is answered with. */
  readonly removed?: object;
}

const security = [{ basic: [] }];
const etag = { ETag: { schema: { type: "string" }, description: "Tells the row as it is from the row as it was" } };
const ifMatch = {
  type: "object",
  properties: { "if-match": { type: "string", description: "The ETag that the row has to have, else 412" } },
};

const words = {
  select: { type: "string", description: "Columns parted by commas; all when absent" },
  order: {
    type: "string",
    description: "Columns parted by commas, each perhaps with .desc; the key follows; nulls are last",
  },
  skip: { type: "string", pattern: "^[0-9]+$", description: "Rows to leave out, 0 when absent" },
  take: {
    type: "string",
    pattern: "^[0-9]+$",
    description: `Rows at most, up to ${limit.rowsTake}; ${standardTake} when absent`,
  },
  after: {
    type: "string",
    description: "Only rows behind the one with these values of the order's columns, a JSON list",
  },
  count: { type: "string", enum: ["true", "false"], description: "How many rows there are instead of the rows" },
  formulas: { type: "string", enum: ["safe", "raw"], description: "CSV: whether texts such as =1+1 get an apostrophe" },
};

export function rowSchemas({ contract, parameters, tag, removed }: Described): RowSchemas {
  const row = contract === undefined ? { type: "object", additionalProperties: true } : rowSchema(contract);
  const what = contract === undefined ? "a table" : contract.table;
  const tags = [tag];
  const params = { type: "object", properties: paramsOf(contract, parameters), required: parameters };
  const answer = { description: "The row", headers: etag, content: { "application/json": { schema: row } } };
  const changes = { tags, security, params, headers: ifMatch };
  const changeErrors = errorAnswers(401, 403, 404, 409, 412, 422, 429, 503);
  return {
    list: {
      tags,
      summary: `Rows of ${what}`,
      description: howToAsk,
      ...tableParams(parameters),
      querystring: questions(contract),
      response: { 200: listAnswer(row), ...errorAnswers(404, 406, 414, 422, 429, 503) },
    },
    one: { tags, summary: `A row of ${what}`, params, response: { 200: answer, ...errorAnswers(404, 422, 429, 503) } },
    add: {
      tags,
      security,
      summary: `Add a row to ${what}, or all of a list`,
      ...tableParams(parameters),
      body: { anyOf: [row, { type: "array", items: row }] },
      response: { 201: answer, ...changeErrors },
    },
    merge: {
      tags,
      security,
      summary: `Add rows to ${what}, and change those that are there`,
      ...tableParams(parameters),
      body: { type: "array", items: row },
      response: { 200: countsAnswer("inserted", "changed"), ...changeErrors },
    },
    replace: {
      ...changes,
      summary: `Replace a row of ${what}`,
      body: withoutRequired(row),
      response: { 200: answer, ...changeErrors },
    },
    change: {
      ...changes,
      summary: `Change columns of a row of ${what}`,
      body: withoutRequired(row),
      response: { 200: answer, ...changeErrors },
    },
    remove: {
      ...changes,
      summary: `Remove a row of ${what}`,
      response: {
        ...(removed === undefined
          ? { 204: { description: "It is removed", type: "null" } }
          : { 200: { description: "It is removed", content: { "application/json": { schema: removed } } } }),
        ...changeErrors,
      },
    },
    removeAll: {
      tags,
      security,
      summary: `Remove the rows of ${what} that meet conditions`,
      description: `At most ${limit.rowsChanged}, all of them or none.`,
      ...tableParams(parameters),
      querystring: conditionsOf(contract),
      response: { 200: countsAnswer("removed"), ...changeErrors },
    },
  };
}

const howToAsk =
  "Any column is a condition: `column=gte.5`, `column=in.(a,b)`, `column=like.A*`, `column=not.is.null`. The answer is JSON, CSV, NDJSON or Parquet, as Accept says.";

/** As rows are sent and read: dates and times are ISO 8601. */
function rowSchema(contract: Contract): object {
  const columns = Object.entries(contract.columns).map(([name, { format: _, ...column }]) => [name, column] as const);
  const { $schema: _, title: __, ...schema } = jsonSchemaOf({ ...contract, columns: Object.fromEntries(columns) });
  return schema;
}

function withoutRequired(schema: object): object {
  const { required: _, ...rest } = schema as { readonly required?: unknown };
  return rest;
}

function paramsOf(contract: Contract | undefined, names: readonly string[]): object {
  const key = contract === undefined ? [] : keyColumns(contract);
  return Object.fromEntries(
    names.map((name, index) => [
      name,
      { type: "string", description: key[index] === undefined ? "" : `The row's ${key[index]}` },
    ]),
  );
}

function tableParams(parameters: readonly string[]): object {
  if (parameters[0] !== "table" || parameters.length < 2) return {};
  return { params: { type: "object", properties: { table: { type: "string" } }, required: ["table"] } };
}

function questions(contract: Contract | undefined): object {
  const { properties, ...more } = conditionsOf(contract);
  return { ...more, properties: { ...properties, ...words } };
}

/** Any column, with what it has to be. */
function conditionsOf(contract: Contract | undefined): { readonly type: string; readonly properties: object } {
  const columns = Object.entries(contract?.columns ?? {}).map(([name, { type }]): [string, object] => [
    name,
    { type: "string", description: `Condition on ${name}, ${type}` },
  ]);
  const additional = contract === undefined ? { additionalProperties: { type: "string" } } : {};
  return { type: "object", properties: Object.fromEntries(columns), ...additional };
}

function listAnswer(row: object): object {
  return {
    description: 'Rows in order; with count=true `{"count":n}`',
    headers: { Link: { schema: { type: "string" }, description: 'Where the next rows are, rel="next"' } },
    content: {
      "application/json": { schema: { type: "array", items: row } },
      [mediaTypes.ndjson]: { schema: { type: "string" } },
      [mediaTypes.csv]: { schema: { type: "string" } },
      [mediaTypes.parquet]: { schema: { type: "string", format: "binary" } },
    },
  };
}

function countsAnswer(...names: readonly string[]): object {
  const properties = Object.fromEntries(names.map((name) => [name, { type: "integer" }]));
  return {
    description: "All of it is durable",
    content: { "application/json": { schema: { type: "object", properties, required: names } } },
  };
}
