export { s3Archive } from "./archive.ts";
export { s3Remote } from "./remote.ts";
