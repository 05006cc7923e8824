export { localFiles } from "./files.ts";
export { fileSink } from "./sink.ts";
