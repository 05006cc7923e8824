import type { FastifyInstance, RouteHandlerMethod } from "fastify";
import { limit } from "../../core/limit.ts";
import type { OpenTable } from "../../runtime/open-table.ts";
import type { Warehouse } from "../../runtime/warehouse.ts";
import { addRows, changeRow, mergeRows, removeRow, removeRows, replaceRow } from "./change.ts";
import { readRow, readRows } from "./read.ts";
import { rowSchemas } from "./schema.ts";
import type { ServedTable, TableOf } from "./table.ts";
import { rowJson } from "./text.ts";

export interface TableRouteParts {
  readonly warehouse: Warehouse;
  /** Told when rows of a table were committed. */
  readonly changed: (table: string) => void;
}

/** `/tables/{table}/rows` for every table of the warehouse: read, add, change, remove. */
export function addTableRoutes(app: FastifyInstance, { warehouse, changed }: TableRouteParts): void {
  for (const name of warehouse.contracts.keys()) {
    const table = warehouse.table(name);
    const served: ServedTable = { table, toJson: rowJson, changed: () => changed(name) };
    addRowRoutes(app, { path: `/tables/${encodeURIComponent(name)}/rows`, table, tableOf: () => served });
  }
}

export interface RowRoutes {
  /** Without a slash at its end. */
  readonly path: string;
  /** Undefined where it is any table that the request names; its key is one column then. */
  readonly table: OpenTable | undefined;
  readonly tableOf: TableOf;
  readonly tag?: string;
  /** What a removed row is answered with, and its schema; 204 when absent. */
  readonly removed?: { readonly answer: (key: string) => object; readonly schema: object };
}

/** Routes of one table at a path of its own, or of any table at a path that names it. */
export function addRowRoutes(app: FastifyInstance, { path, table, tableOf, tag = "tables", removed }: RowRoutes): void {
  const parameters = table === undefined ? keyOfAny(path) : parametersOf(table);
  const schemas = rowSchemas({
    contract: table?.contract,
    parameters,
    tag,
    ...(removed === undefined ? {} : { removed: removed.schema }),
  });
  const add = (
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    url: string,
    schema: object,
    handler: RouteHandlerMethod,
  ): void => {
    app.route({ method, url, schema, handler, validatorCompiler: unchecked, bodyLimit: limit.rowsBodyBytes });
  };
  add("GET", path, schemas.list, readRows(tableOf));
  add("POST", path, schemas.add, addRows(tableOf));
  if (parameters.length === 0) return;
  const own = parameters.filter((name) => name !== "table" || !path.includes(":table")).map((name) => `:${name}`);
  const row = `${path}/${own.join("/")}`;
  add("PUT", path, schemas.merge, mergeRows(tableOf));
  add("DELETE", path, schemas.removeAll, removeRows(tableOf));
  add("GET", row, schemas.one, readRow(tableOf));
  add("PUT", row, schemas.replace, replaceRow(tableOf));
  add("PATCH", row, schemas.change, changeRow(tableOf));
  add(
    "DELETE",
    row,
    schemas.remove,
    removeRow(tableOf, (key) => removed?.answer(key)),
  );
}

/** Schemas describe. Who reads a request says what is wrong with it, and sees it as it came: a null is no empty text. */
const unchecked = () => () => true;

/** The key of a table that is not known yet is one column. */
function keyOfAny(path: string): string[] {
  return path.includes(":table") ? ["table", "key"] : ["key"];
}

/** A part of the address for each column of the key. */
function parametersOf({ key }: OpenTable): string[] {
  return key.map((name, index) => (/^\w+$/.test(name) ? name : `key${index + 1}`));
}
