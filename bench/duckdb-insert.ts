// node bench/duckdb-insert.ts DATABASE CSV: what DuckDB alone takes for the same table, nothing checked.
import { DuckDBInstance } from "@duckdb/node-api";
import { tableName, tableSql } from "./table.ts";

const [database = "", csv = ""] = process.argv.slice(2);
const columns = "{id: 'INTEGER', name: 'VARCHAR', datetime: 'TIMESTAMP', department_id: 'INTEGER', job_id: 'INTEGER'}";
const instance = await DuckDBInstance.create(database);
const connection = await instance.connect();
await connection.run(tableSql(tableName));
await connection.run(
  `insert into ${tableName} select * from read_csv('${csv}', auto_detect = false, header = false, delim = ',', columns = ${columns})`,
);
connection.closeSync();
instance.closeSync();
