export { redisLog } from "./log.ts";
export { redisReplicas } from "./store-replicas.ts";
export { redisStore } from "./store.ts";
