export { fileSink } from "./sink.ts";
