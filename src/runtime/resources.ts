import { availableParallelism } from "node:os";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { Engine } from "../engine/engine.ts";

const MiB = 1024 * 1024;

/** What Node itself, its buffers and the clients' code take, measured at rest with all adapters loaded. */
const nodeBytes = 80 * MiB;

/** How the one memory budget is shared out. */
export interface Budget {
  readonly engineBytes: number;
  readonly batchBytes: number;
  readonly threads: number;
}

/**
 * Shares `memoryBytes` among Node, the batches of `lanes` lanes and the engine. A lane holds about six times a batch:
 * the bytes read, their copy for the engine, the export, for the batch being prepared and the one being committed.
 */
export function budgetOf(memoryBytes: number, lanes: number): Budget {
  if (!(memoryBytes >= limit.memoryBytesMin)) {
    throw new MillraceError("MEMORY", `A memory budget of ${Math.round(memoryBytes / MiB)} MB is too small`, {
      remedy: `Give at least ${limit.memoryBytesMin / MiB} MB with --memory.`,
    });
  }
  const free = memoryBytes - nodeBytes;
  const batchBytes = Math.max(MiB, Math.min(limit.batchBytes, Math.floor(free / 2 / lanes / 6)));
  return { batchBytes, engineBytes: Math.floor(free - batchBytes * lanes * 6), threads: availableParallelism() };
}

export function openEngine(budget: Budget): Promise<Engine> {
  return Engine.open({ memoryBytes: budget.engineBytes, threads: budget.threads });
}
