export { duckdbSink } from "./sink.ts";
