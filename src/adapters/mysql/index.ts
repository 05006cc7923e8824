export { mysqlSink } from "./sink.ts";
