import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Notice } from "./keeper.ts";

let keeper: ChildProcess | undefined;
const held = new Set<number | string>();

/** The keeper is started with the first server, in a session of its own: Ctrl-C in the terminal must not reach it. */
function start(): ChildProcess {
  const path = fileURLToPath(new URL("./keeper.ts", import.meta.url));
  const child = fork(path, { detached: true, stdio: "ignore", execArgv: [] });
  child.unref();
  child.channel?.unref();
  return child;
}

function tell(notice: Notice): void {
  keeper ??= start();
  keeper.send(notice);
}

/** From now on the program (a process id) or folder (a path) ends with this process. */
export function hold(thing: number | string): void {
  held.add(thing);
  tell({ hold: thing });
}

/** It is gone; leave alone whatever may carry its id or name next. */
export function drop(thing: number | string): void {
  held.delete(thing);
  tell({ drop: thing });
}

/** The folders that end with this process: other processes test with servers of their own at the same time. */
export function heldFolders(): readonly string[] {
  return [...held].filter((thing) => typeof thing === "string");
}
