export { redisReplicas } from "./store-replicas.ts";
export { redisStore } from "./store.ts";
