import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describeWith } from "../servers/not-run.ts";
import { soakFleet } from "./fleet-soak.ts";

/** `npm run soak` goes on for longer; MILLRACE_SOAK_SEED repeats what a run has said. */
const seed = Number(process.env["MILLRACE_SOAK_SEED"] ?? Date.now() % 1_000_000);

describeWith(["kafka", "postgres", "nginx"], "a fleet whose processes and servers are killed at random", () => {
  it("has each answered event in its table once, and balanced books", async () => {
    const folder = await mkdtemp(join(tmpdir(), "millrace-soak-"));
    await chmod(folder, 0o755); // PostgreSQL has an account of its own.
    const said: string[] = [];
    try {
      await soakFleet({
        folder: join(folder, "fleet"),
        brokers: 1,
        rounds: 1,
        kills: 3,
        poisonEvery: 200,
        seed,
        say: (text) => said.push(text),
      });
      expect(said.at(-1)).toContain("round 1");
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    }
  }, 600_000);
});
