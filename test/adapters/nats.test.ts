import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { logConformance } from "../../src/conformance/index.ts";
import { startNats } from "../servers/nats.ts";
import { describeWith } from "../servers/not-run.ts";
import type { RestartableServer } from "../servers/server.ts";
import { freshName, makeLog, memberProgram, removeLog, withLog, withStreams } from "./nats/scene.ts";
import { MemberProcess } from "./brokers/scene.ts";

const users = `
no_auth_user: anyone
authorization { users: [{ user: anyone, password: anyone }, { user: millrace, password: right }] }`;

const stored = "JetStream keeps one of several records with the same id, within two minutes";

describeWith("nats", "NATS JetStream", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startNats({ settings: users });
  });
  afterAll(() => server?.stop());

  logConformance({
    name: "nats",
    api: { describe, it, expect },
    skips: {
      "keeps a record for each time that it was appended": stored,
      "hands out pieces that are not empty, and not much larger than said": `${stored}; see nats/read.test.ts`,
    },
    create: async () => {
      const name = freshName();
      const url = `${server.url}/${name}?lanes=3`;
      const processes: MemberProcess[] = [];
      return {
        log: async () => makeLog(url),
        trim: (lane, offset) =>
          withStreams(server.url, async ({ streams }) => {
            await streams.purge(`${name}-${lane.name}`, { seq: Number(offset) });
          }),
        recreate: async () => {
          await removeLog(server.url, name);
          await withLog(url, async () => undefined);
        },
        join: async (group) => {
          const process = new MemberProcess(memberProgram, url, group);
          processes.push(process);
          await process.joined();
          return process;
        },
        unusable: async () => ({
          log: makeLog(url.replace("//", "//millrace:wr%C3%B6ng%20PASS@")),
          secrets: ["wröng", "wr%C3%B6ng", "PASS"],
        }),
        dispose: async () => {
          for (const process of processes) await process.kill();
          await removeLog(server.url, name);
        },
      };
    },
  });
});
