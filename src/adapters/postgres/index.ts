export { postgresSink } from "./sink.ts";
export { postgresStore } from "./store.ts";
