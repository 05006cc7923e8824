export { postgresSink } from "./sink.ts";
