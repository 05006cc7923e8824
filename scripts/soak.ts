// npm run soak: the fleet under load while its processes and servers are killed at random; see docs/fleet.md.
//
//   npm run soak -- --rounds 20                what the product has to survive in a row
//   npm run soak -- --brokers 3 --kills 12     three brokers; how many are killed in a round
//   npm run soak -- --seed 7                   as another run that said so
import { mkdtempSync, chmodSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { soakFleet } from "../test/soak/fleet-soak.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    kills: { type: "string", default: "5" },
    brokers: { type: "string", default: "1" },
    poison: { type: "string", default: "10000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const folder = mkdtempSync(join(tmpdir(), "millrace-soak-"));
chmodSync(folder, 0o755); // PostgreSQL has an account of its own.
try {
  await soakFleet({
    folder: join(folder, "fleet"),
    brokers: values.brokers === "3" ? 3 : 1,
    rounds: Number(values.rounds),
    kills: Number(values.kills),
    poisonEvery: Number(values.poison),
    seed: Number(values.seed),
    say: (text) => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`),
  });
  rmSync(folder, { recursive: true, force: true });
} catch (error) {
  console.error(`${(error as Error).message}\nlogs and data are in ${folder}`);
  process.exitCode = 1;
}
