export { s3Archive } from "./archive.ts";
