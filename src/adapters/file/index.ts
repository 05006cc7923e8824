export { localFiles } from "./files.ts";
export { fileSink } from "./sink.ts";
export { fileArchive } from "./archive.ts";
export { fileStore } from "./store.ts";
export { fileReplicas } from "./replicas.ts";
export { localDrop } from "./drop.ts";
