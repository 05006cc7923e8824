import {
  addRowRoutes,
  type FastifyInstance,
  type OpenTable,
  problem,
  rowJson,
  type RowJson,
  type ServedTable,
} from "../../src/index.ts";
import type { LoadedTables } from "./loaded-tables.ts";

/** The table that callers know by addresses of its own. */
const users = "sample_us_users";

const removedSchema = { type: "object", properties: { message: { type: "string" } }, required: ["message"] };
const removed = {
  answer: (id: string): object => ({ message: `Note with id: ${id} deleted successfully!` }),
  schema: removedSchema,
};

/** `/tables/{table}/rows` of every table, and `/sample_us_users/` and `/notes/` as callers know them. */
export function addRowsRoutes(app: FastifyInstance, tables: LoadedTables): void {
  const served = async (name: string, serve: (table: OpenTable) => ServedTable): Promise<ServedTable> => {
    const table = await tables.open(name);
    if (table === undefined) throw problem(404, "ROW_UNKNOWN", `There is no table ${name}`, "Load its replica first.");
    return serve(table);
  };
  addRowRoutes(app, {
    ...{ path: "/tables/:table/rows", table: undefined, tag: "rows" },
    tableOf: (request) => {
      const { table: name } = request.params as { readonly table: string };
      return served(name, (table) => ({ table, toJson: rowJson, changed: () => undefined }));
    },
  });
  for (const path of [`/${users}`, "/notes"]) {
    addRowRoutes(app, { path, table: undefined, tag: "rows", removed, tableOf: () => served(users, asCallersKnow) });
  }
}

/** Times with six digits behind the point, and json as the text that it is. */
function asCallersKnow(table: OpenTable): ServedTable {
  const { columns } = table.contract;
  const of = (type: string): string[] => Object.keys(columns).filter((name) => columns[name]?.type === type);
  const [times, texts] = [of("timestamp"), of("json")];
  const toJson = (wanted: readonly string[]): RowJson => {
    const write = rowJson(wanted);
    return (row) => {
      const shown = { ...row };
      for (const name of times) if (typeof row[name] === "string") shown[name] = withMicroseconds(row[name]);
      for (const name of texts)
        if (row[name] !== null && row[name] !== undefined) shown[name] = JSON.stringify(row[name]);
      return write(shown);
    };
  };
  const given = (row: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
    const read = { ...row };
    for (const name of texts) if (typeof row[name] === "string") read[name] = parsedOr(row[name]);
    return read;
  };
  return { table, toJson, given, changed: () => undefined };
}

/** `2020-05-03T15:34:29.504` → `2020-05-03T15:34:29.504000` */
function withMicroseconds(time: string): string {
  const [seconds = "", fraction = ""] = time.split(".");
  return `${seconds}.${fraction.padEnd(6, "0")}`;
}

function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
