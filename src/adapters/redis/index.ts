export { redisLog } from "./log.ts";
