import { availableParallelism } from "node:os";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { Engine } from "../engine/engine.ts";
import { transforms } from "./transforms.ts";

const MiB = 1024 * 1024;

/**
 * What Node, the code of Millrace and its libraries, and the allocators' slack take, with the settings that the command
 * line starts Node with (`cli/bounded-memory.ts`). Measured: peak resident size of loads on several budgets less the rest.
 */
const fixedBytes = 180 * MiB;

/**
 * Copies of a batch's size that a lane holds: bytes read, their copy for the engine, the export, each for the batch
 * being prepared and the one being committed, and what waits to be collected.
 */
const batchesPerLane = 12;

/** How the one memory budget is shared out. */
export interface Budget {
  readonly engineBytes: number;
  readonly batchBytes: number;
  readonly threads: number;
  /** Lanes that there is room for at the same time. */
  readonly lanes: number;
}

/**
 * Shares `memoryBytes` among Node, the batches of `wanted` lanes (fewer when they do not fit) and the engine, which gets
 * half of what is left or more where it can. Throws MEMORY when it is less than `limit.memoryBytesMin`.
 */
export function budgetOf(memoryBytes: number, wanted: number): Budget {
  if (!(memoryBytes >= limit.memoryBytesMin)) {
    throw new MillraceError("MEMORY", `A memory budget of ${Math.round(memoryBytes / MiB)} MB is too small`, {
      remedy: `Give at least ${limit.memoryBytesMin / MiB} MB with --memory.`,
    });
  }
  const free = Math.max(0, memoryBytes - fixedBytes);
  const most = Math.floor((free - limit.engineBytesMin) / (limit.batchBytesMin * batchesPerLane));
  const lanes = Math.max(1, Math.min(wanted, most));
  const fitting = Math.floor(Math.min(free / 2, free - limit.engineBytesMin) / lanes / batchesPerLane);
  const batchBytes = Math.max(limit.batchBytesMin, Math.min(limit.batchBytes, fitting));
  const engineBytes = Math.max(limit.engineBytesMin, free - batchBytes * lanes * batchesPerLane);
  return { batchBytes, engineBytes, threads: threadsFor(lanes), lanes };
}

/**
 * A batch is one buffer, which one thread reads, and each lane brings the threads that its statements wait on. Threads
 * of the engine that find nothing to do beside them spin: with two of them on two cores the check of a batch took twice
 * the processor time that it takes with one.
 */
function threadsFor(lanes: number): number {
  return Math.max(1, Math.floor(availableParallelism() / 2 / lanes));
}

export function openEngine(budget: Budget): Promise<Engine> {
  return Engine.open({ memoryBytes: budget.engineBytes, threads: budget.threads, transforms });
}
