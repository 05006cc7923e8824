import type { BrokerAddress } from "./address.ts";
import type { Cluster } from "./cluster.ts";
import { brokerErrorsOf } from "./errors.ts";
import { requests } from "./requests.ts";

/** The brokers that keep groups (FindCoordinator), as long as they do. */
export class Coordinators {
  readonly #cluster: Cluster;
  readonly #known = new Map<string, BrokerAddress>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async of(group: string): Promise<BrokerAddress> {
    const known = this.#known.get(group);
    if (known !== undefined) return known;
    const aGroup = 0;
    const { coordinators } = await this.#cluster.ask(requests.findCoordinator, aGroup, [group]);
    const [found] = coordinators;
    if (found === undefined) throw new Error(`no broker keeps the group ${group}`);
    const broker = { host: found.host, port: found.port };
    this.#known.set(group, broker);
    return broker;
  }

  /** After an error: unless the coordinator itself has answered as one, it is to be looked for again. */
  doubt(group: string, error: unknown): void {
    const names = brokerErrorsOf(error);
    const isAnswer = names.length > 0 && !names.some((name) => name.includes("COORDINATOR"));
    if (!isAnswer) this.#known.delete(group);
  }
}
