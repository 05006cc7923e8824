import type { Log } from "../ports/log.ts";

/** What people call a log: its topic, or its folder. */
export function logName({ shown }: Pick<Log, "shown">): string {
  return shown.split("?")[0]?.replace(/^.*[/:](?=[^/:]+$)/, "") ?? shown;
}
