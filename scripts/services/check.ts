import { askChromium } from "../../test/servers/chromium.ts";
import { serverNames, servers } from "../../test/servers/index.ts";

async function check(name: string, ask: () => Promise<string>): Promise<boolean> {
  const startedMs = Date.now();
  let line: string;
  let good = true;
  try {
    line = await ask();
  } catch (error) {
    line = (error as Error).message;
    good = false;
  }
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
  console.log(`${good ? "ok    " : "FAILED"}  ${name.padEnd(8)}  ${line} (${seconds} s)`);
  return good;
}

/** Starts each server privately, asks it something real and stops it; false when one did not answer. */
export async function checkServices(): Promise<boolean> {
  const results: boolean[] = [];
  for (const name of serverNames) results.push(await check(name, servers[name].tryOut));
  results.push(await check("chromium", askChromium));
  return !results.includes(false);
}
