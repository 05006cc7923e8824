export { embeddedLog } from "./log.ts";
