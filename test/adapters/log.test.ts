import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { logConformance, type LogProcess } from "../../src/conformance/index.ts";
import type { LogLane } from "../../src/ports/log.ts";
import { Subject } from "../crash/processes.ts";
import type { Assigned } from "./log/member.ts";
import { Scene } from "./log/scene.ts";

/** What trimming does, at a moment of the test's choice. */
function trim(folder: string, { name }: LogLane, offset: bigint): void {
  const database = new DatabaseSync(join(folder, "log.db"), { readBigInts: true });
  try {
    const base = BigInt(name) << 53n;
    const last = base + 2n ** 53n - 1n;
    database.exec("begin immediate");
    database.prepare("delete from piece where id >= ? and id + records <= ?").run(base, base + offset);
    const { id } = database.prepare("select min(id) as id from piece where id between ? and ?").get(base, last) ?? {};
    const start = typeof id === "bigint" ? id - base : offset;
    database.prepare("update lane set first = ? where lane = ?").run(start, BigInt(name));
    database.exec("commit");
  } finally {
    database.close();
  }
}

async function joined(folder: string, group: string): Promise<Subject> {
  const member = new Subject("test/adapters/log/member.ts", [folder, group]);
  const wanted: Assigned["event"] = "assigned";
  await member.event(({ event, lanes }) => event === wanted && Array.isArray(lanes) && lanes.length > 0);
  return member;
}

logConformance({
  name: "embedded",
  api: { describe, it, expect },
  skips: {},
  create: async () => {
    const scene = new Scene();
    const members: Subject[] = [];
    return {
      log: async () => scene.log(),
      trim: async (lane, offset) => trim(scene.folder, lane, offset),
      recreate: async () => {
        rmSync(scene.folder, { recursive: true });
        const log = await scene.open();
        await log.close();
      },
      join: async (group): Promise<LogProcess> => {
        const member = await joined(scene.folder, group);
        members.push(member);
        return {
          kill: async () => {
            member.kill("SIGKILL");
            await member.ended;
          },
        };
      },
      unusable: async () => {
        mkdirSync(dirname(scene.folder), { recursive: true });
        writeFileSync(scene.folder, "a file");
        return { log: scene.log("", join(scene.folder, "under it")), secrets: [] };
      },
      dispose: async () => {
        for (const member of members) member.kill("SIGKILL");
        await Promise.all(members.map(({ ended }) => ended));
        await scene[Symbol.asyncDispose]();
      },
    };
  },
});
