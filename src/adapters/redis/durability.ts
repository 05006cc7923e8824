import { ServerError } from "./errors.ts";
import type { LogAddress } from "./log-address.ts";
import type { LogClient } from "./log-connection.ts";
import { tooOld } from "./refusals.ts";

/** What the server does with what is written to it, as far as it says so. */
export interface ServerFacts {
  /** Another one after each start, and on a replica that takes over; `unknown` when it does not say. */
  readonly life: string;
  /** Undefined when it does not say. */
  readonly appendOnly: boolean | undefined;
  /** `always`, `everysec`, `no`; undefined when it does not say. */
  readonly sync: string | undefined;
  /** Whether it can say when the append-only file is on disk: Redis 7.2. */
  readonly canTell: boolean;
  /** `allkeys-…` when it removes whatever it likes for want of memory. */
  readonly evicts: string | undefined;
}

/** Throws SINK_REFUSED for a server that is too old. */
export async function askFacts(client: LogClient, address: LogAddress): Promise<ServerFacts> {
  const info = await client.ask("INFO").then(String, ignoreRefusal);
  const version = fieldOf(info, "redis_version");
  // Valkey says a version of Redis too.
  if (version !== undefined && Number(version.split(".")[0]) < 7) throw tooOld(address, version);
  const settings = await client.ask("CONFIG", "GET", "appendfsync").catch(ignoreRefusal);
  const sync = Array.isArray(settings) && typeof settings[1] === "string" ? settings[1] : undefined;
  const aof = fieldOf(info, "aof_enabled");
  const policy = fieldOf(info, "maxmemory_policy");
  const isBounded = fieldOf(info, "maxmemory") !== "0";
  return {
    life: fieldOf(info, "run_id") ?? "unknown",
    appendOnly: aof === undefined ? undefined : aof === "1",
    sync,
    canTell: await knowsWaitaof(client),
    evicts: isBounded && policy?.startsWith("allkeys") === true ? policy : undefined,
  };
}

/** A managed service may not say what it is set to: then that is not known. */
function ignoreRefusal(error: unknown): string {
  if (error instanceof ServerError && /^(ERR|NOPERM)$/.test(error.word)) return "";
  throw error;
}

async function knowsWaitaof(client: LogClient): Promise<boolean> {
  const answer = await client.ask("COMMAND", "INFO", "WAITAOF").catch(ignoreRefusal);
  return Array.isArray(answer) && Array.isArray(answer[0]);
}

function fieldOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1];
}

/** Whether an append is followed by `WAITAOF`. */
export function waitsForDisk(
  { appendOnly, sync, canTell }: ServerFacts,
  { syncs }: Pick<LogAddress, "syncs">,
): boolean {
  // With `always` the answer comes behind the disk anyway; with `no` nobody ever knows.
  return syncs && canTell && appendOnly === true && sync !== "always" && sync !== "no";
}

/** One sentence: what `append` has done when it resolves. */
export function durabilityOf(facts: ServerFacts | undefined, address: Pick<LogAddress, "syncs" | "replicas">): string {
  const copies = address.replicas === 0 ? "" : `, and ${address.replicas} replicas have it in memory`;
  return `${diskOf(facts, address)}${copies}; a replica that takes over may lack what it had not been sent.`;
}

function diskOf(facts: ServerFacts | undefined, address: Pick<LogAddress, "syncs">): string {
  if (facts === undefined) return "The server has the record, kept as its settings say (not connected yet)";
  if (facts.appendOnly === undefined) return "The server has the record in memory; how it keeps it, it does not say";
  if (!facts.appendOnly)
    return "The server has the record in memory only, without an append-only file, until its next snapshot";
  if (facts.sync === "always") return "The server's append-only file with the record is on disk (appendfsync always)";
  if (waitsForDisk(facts, address)) return "The server's append-only file with the record is on disk (WAITAOF)";
  const when = facts.sync === "everysec" ? "within about two seconds" : "when the operating system writes it";
  return `The record is on its way into the server's append-only file, which is on disk ${when}`;
}

/** What people should know before they trust the log; undefined when there is nothing. */
export function warningOf(
  { appendOnly, evicts }: ServerFacts,
  { shown }: Pick<LogAddress, "shown">,
): string | undefined {
  if (evicts !== undefined) {
    return `${shown}: the server removes whole streams for want of memory (maxmemory-policy ${evicts}); set noeviction`;
  }
  if (appendOnly !== false) return undefined;
  return `${shown}: the server has no append-only file, and loses what came since its last snapshot when it ends; set appendonly yes`;
}
