import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Half } from "./state.ts";

const file = fileURLToPath(new URL("../../deploy/fleet/compose.yaml", import.meta.url));

/** What makes three brokers of one. */
const three = {
  FLEET_REPLICAS: "3",
  FLEET_VOTERS: "1@kafka-1:9093,2@kafka-2:9093,3@kafka-3:9093",
  FLEET_BROKERS: "kafka-1:9092,kafka-2:9092,kafka-3:9092",
  COMPOSE_PROFILES: "three-brokers",
};

function compose(brokers: number, args: readonly string[]): Promise<void> {
  return run(["compose", "--file", file, ...args], brokers === 3 ? three : {});
}

async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn("docker", args, { stdio: "inherit", env: { ...process.env, ...env } });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`docker ${args.join(" ")} ended with ${code}`);
}

export async function up(halves: readonly Half[], brokers: number): Promise<void> {
  const servers = ["kafka-1", ...(brokers === 3 ? ["kafka-2", "kafka-3"] : []), "postgres"];
  await compose(brokers, ["up", "--build", "--detach", "--wait", ...(halves.includes("fleet") ? [] : servers)]);
}

/** All of it, whichever half is named: the servers alone are of no use to the others' containers. */
export async function down(remove: boolean): Promise<void> {
  await compose(3, ["down", ...(remove ? ["--volumes"] : [])]);
}
