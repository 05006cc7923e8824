// node bench/duckdb-summarize.ts CSV: what DuckDB alone takes to summarise the file, with the threads that it likes.
import { DuckDBInstance } from "@duckdb/node-api";

const [csv = ""] = process.argv.slice(2);
const instance = await DuckDBInstance.create(":memory:");
const connection = await instance.connect();
const reader = await connection.runAndReadAll(`summarize select * from read_csv('${csv}')`);
console.log(JSON.stringify(reader.getRowObjectsJson()));
connection.closeSync();
instance.closeSync();
