export type { Expectation, SinkHarness, SinkPlace, TestApi, TestRegistrar } from "./harness.ts";
export { sinkBehaviourNames, sinkConformance } from "./sink.ts";
export { storeBehaviourNames, storeConformance, type StoreHarness, type StorePlace } from "./store.ts";
export { archiveBehaviourNames, archiveConformance, type ArchiveHarness, type ArchivePlace } from "./archive.ts";
export { logBehaviourNames, logConformance, type LogHarness, type LogPlace, type LogProcess } from "./log.ts";
export { replicasBehaviourNames, replicasConformance, type ReplicasHarness, type ReplicasPlace } from "./replicas.ts";
export { queueBehaviourNames, queueConformance, type QueueHarness, type QueuePlace } from "./queue.ts";
