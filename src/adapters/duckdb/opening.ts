import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import { retryPauseMs } from "../../core/retry.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import { checkFile } from "./create-file.ts";
import { explain, lockHolder, troubleOf } from "./errors.ts";
import { type Location, realFile } from "./location.ts";
import { type Use, use } from "./registry.ts";

/** Opens the file for writing. Waits while another process has it, up to `limit.retryTotalMs`, then SINK_BUSY. */
export async function openForWriting(location: Location, context: AdapterContext): Promise<Use> {
  const file = await realFile(location.path);
  const began = context.now();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await useChecked(file, location, context, false);
    } catch (error) {
      if (!isBusy(error)) throw explain(error, location.shown);
      if (context.now() - began >= limit.retryTotalMs) throw stillBusy(error, location);
      if (attempt === 1) context.notice(`${location.shown} is in use by ${holder(error)}; waiting for it`);
    }
    await context.pause(retryPauseMs(attempt, Math.random()));
  }
}

/**
 * Opens the file for reading: shared with the writer when that is this process, else read-only, which any number of
 * processes may do at once but not beside a writer: SINK_BUSY at once, for people who wait for an answer.
 */
export async function openForReading(location: Location, context: AdapterContext): Promise<Use> {
  try {
    return await useChecked(await realFile(location.path), location, context, true);
  } catch (error) {
    if (troubleOf(error) !== "locked") throw explain(error, location.shown);
    throw new MillraceError("SINK_BUSY", `${location.shown} is being written by ${holder(error)}`, {
      remedy: "Ask again when it has ended: a DuckDB file is read by many processes or written by one.",
      cause: error,
    });
  }
}

async function useChecked(file: string, location: Location, context: AdapterContext, readOnly: boolean): Promise<Use> {
  await checkFile(file, location.shown, readOnly);
  return use(context.engine, file, readOnly);
}

function isBusy(error: unknown): boolean {
  return troubleOf(error) === "locked" || (error instanceof MillraceError && error.code === "SINK_BUSY");
}

function holder(error: unknown): string {
  return troubleOf(error) === "locked" ? `another process (${lockHolder(error)})` : "a query of this process";
}

function stillBusy(error: unknown, location: Location): MillraceError {
  const seconds = Math.round(limit.retryTotalMs / 1000);
  return new MillraceError("SINK_BUSY", `${location.shown} was in use by ${holder(error)} for ${seconds} s`, {
    remedy: "One process writes a DuckDB file at a time: end the other one, or run this again when it has ended.",
    cause: error,
  });
}
