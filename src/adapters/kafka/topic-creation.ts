import { ConfigResourceTypes, ResponseError } from "@platformatic/kafka";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { Address } from "./address.ts";
import { type Cluster, topicError, type TopicView } from "./cluster.ts";
import { brokerError, brokerErrorsOf, withPurpose } from "./errors.ts";
import { tooOld } from "./refusals.ts";
import { requests } from "./requests.ts";

/** How long a broker may take to create a topic. */
const creationMs = 10_000;
/** As the broker chooses (KIP-464). */
const brokersChoice = -1;

/** Checks that the brokers know the requests that are sent. Throws SINK_REFUSED. */
export async function checkVersions(address: Address, cluster: Cluster): Promise<void> {
  const { apiKeys } = await cluster.ask(requests.apiVersions, "millrace", "1");
  const known = new Map(apiKeys.map((one) => [one.apiKey, one]));
  for (const [name, { key, version }] of Object.entries(requests)) {
    const range = known.get(key);
    if (range === undefined || version < range.minVersion || version > range.maxVersion) {
      throw tooOld(address, `${name} ${version}`);
    }
  }
}

/** Creates the topic; another process may be quicker. */
export async function createTopic(address: Address, cluster: Cluster): Promise<void> {
  const { topic, partitions = brokersChoice, replicas = brokersChoice } = address;
  const configs = [...settingsOf(address)].map(([name, value]) => ({ name, value }));
  const wanted = { name: topic, numPartitions: partitions, replicationFactor: replicas, assignments: [], configs };
  const onlyCheck = false;
  try {
    const { controller } = cluster;
    if (controller === undefined) await cluster.ask(requests.createTopics, [wanted], creationMs, onlyCheck);
    else await cluster.wires.send(controller, "ask", requests.createTopics, [wanted], creationMs, onlyCheck);
  } catch (error) {
    const names = brokerErrorsOf(error);
    if (!names.includes("TOPIC_ALREADY_EXISTS")) throw withPurpose(error, `creating the topic ${topic}`);
  }
}

/** With three copies or more, two of them confirm: else the last one in step would confirm alone, and may be lost. */
function settingsOf({ replicas = 1, topicSettings }: Address): ReadonlyMap<string, string> {
  const copies = replicas >= 3 ? new Map([["min.insync.replicas", "2"]]) : new Map<string, string>();
  return new Map([...copies, ...topicSettings]);
}

/** The topic with a leader for each partition. Throws an error that passes while it is not so. */
export async function readyView(cluster: Cluster): Promise<TopicView> {
  const view = await cluster.look();
  if (view === undefined) throw brokerError(topicError.unknownTopic);
  if (view.partitions.some(({ leader }) => cluster.broker(leader) === undefined)) {
    throw brokerError(topicError.leaderNotAvailable);
  }
  return view;
}

/** `max.message.bytes` of the topic; undefined when the user in the URL may not ask for it. */
export async function batchBytesMaxOf({ topic }: Address, cluster: Cluster): Promise<number | undefined> {
  const wanted = {
    resourceType: ConfigResourceTypes.TOPIC,
    resourceName: topic,
    configurationKeys: ["max.message.bytes"],
  };
  try {
    const { results } = await cluster.ask(requests.describeConfigs, [wanted], false, false);
    const value = Number(results[0]?.configs.find(({ name }) => name === "max.message.bytes")?.value);
    return Number.isInteger(value) && value > 0 ? value : undefined;
  } catch (error) {
    if (error instanceof ResponseError) return undefined;
    throw error;
  }
}

/** Says where the topic is not as the URL asks: it was created before, and is never changed. */
export function noticeDifference(
  { shown, partitions }: Address,
  view: TopicView,
  notice: AdapterContext["notice"],
): void {
  if (partitions !== undefined && partitions !== view.partitions.length) {
    notice(`${shown}: the topic is there with ${view.partitions.length} partitions, and is left as it is`);
  }
}
