import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Makes what a server's folder holds before its first start, and answers with what is to be known of it. In a folder that
 * was kept it is made no second time. The file is written last: what was left half made is made again.
 */
export async function firstTime<Facts>(folder: string, make: () => Promise<Facts>): Promise<Facts> {
  const path = join(folder, "made.json");
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8")) as Facts;
  const facts = await make();
  writeFileSync(`${path}.new`, JSON.stringify(facts), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return facts;
}
