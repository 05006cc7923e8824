export { natsLog } from "./log.ts";
