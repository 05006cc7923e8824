import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { parsePlace } from "../core/place.ts";

/** The sink that keeps the position of rows that go into a log. */
export interface LogState {
  readonly url: string;
  /** Makes the folder that it lies in, where that is Millrace's own. */
  readonly makeRoom?: () => Promise<void>;
}

/** What `state` names; else a DuckDB file of the log's own in the data folder. */
export function stateOfLog(log: string, state: string | undefined, data: string): LogState {
  if (state !== undefined) return { url: state };
  const file = join(data, "logs", `${fileName(log)}.duckdb`);
  return {
    url: `duckdb:${file}`,
    makeRoom: async () => void (await mkdir(dirname(file), { recursive: true, mode: 0o700 })),
  };
}

/** The same however the log's URL is written: options and passwords make no other log of it. */
function fileName(url: string): string {
  const { scheme, path, shown } = parsePlace(url);
  const name = path === "" ? withoutUser(shown) : `${scheme}:${resolve(path)}`;
  const short = basename(name.replace(/^[^:]*:/, ""))
    .replaceAll(/[^\w.-]/g, "_")
    .slice(0, 40);
  return `${short}-${createHash("sha256").update(name).digest("hex").slice(0, 8)}`;
}

function withoutUser(shown: string): string {
  const { protocol, host, pathname } = new URL(shown);
  return `${protocol}//${host}${pathname}`;
}
