export type { Expectation, SinkHarness, SinkPlace, TestApi, TestRegistrar } from "./harness.ts";
export { sinkBehaviourNames, sinkConformance } from "./sink.ts";
