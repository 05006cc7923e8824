import { Client, Connection } from "./connection.ts";
import type { LogAddress } from "./log-address.ts";
import { closedLog } from "./refusals.ts";
import { type ScriptName, scripts } from "./scripts.ts";

/** A connection with the scripts of a log. */
export type LogClient = Client<ScriptName>;
export type LogConnection = Connection<ScriptName>;

/** Fails as soon as the signal aborts. */
export function connectToLog(address: LogAddress, signal: AbortSignal): Promise<LogClient> {
  return Client.connect(address, scripts, signal);
}

export function logConnection(address: LogAddress): LogConnection {
  return new Connection(address, scripts, () => closedLog(address));
}
