/**
 * Runs as a process of its own and outlives the test process by a moment: when that one ends, however it ends, the
 * channel between them closes, and the keeper kills the servers and deletes the folders that were still in use.
 */
import { rmSync } from "node:fs";
import { killTree } from "./tree.ts";

export type Notice = { hold: number | string } | { drop: number | string };

const programs = new Set<number>();
const folders = new Set<string>();

process.on("message", (notice: Notice) => {
  if ("hold" in notice) {
    if (typeof notice.hold === "number") programs.add(notice.hold);
    else folders.add(notice.hold);
  } else if (typeof notice.drop === "number") programs.delete(notice.drop);
  else folders.delete(notice.drop);
});

process.on("disconnect", () => {
  for (const pid of programs) killTree(pid);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.exit();
});
