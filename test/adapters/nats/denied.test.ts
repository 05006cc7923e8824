import { inspect } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Log } from "../../../src/ports/log.ts";
import { startNats } from "../../servers/nats.ts";
import { freePort } from "../../servers/place.ts";
import { describeWith } from "../../servers/not-run.ts";
import type { RestartableServer } from "../../servers/server.ts";
import { explained, firstLane, readSome, record } from "../brokers/scene.ts";
import { freshName, makeLog, withLog } from "./scene.ts";

const users = `
no_auth_user: anyone
accounts {
  streams: { jetstream: enabled, users: [
    { user: anyone, password: anyone }
    { user: right, password: "pa:ss@ SECRET" }
    { user: reader, password: SECRET, permissions: { publish: { allow: ["$JS.API.>", "_INBOX.>"] }, subscribe: ">" } }
    { user: nobody, password: SECRET, permissions: { publish: "nothing", subscribe: "_INBOX.>" } }
  ]}
  plain: { users: [{ user: plain, password: SECRET }] }
}`;

describeWith("nats", "a NATS server that asks who it is", () => {
  let server: RestartableServer;
  beforeAll(async () => {
    server = await startNats({ settings: users });
  });
  afterAll(() => server?.stop());

  const as = (login: string, name = freshName()): string =>
    server.url.replace("//", `//${login}@`) + `/${name}?lanes=2`;

  async function refusal(
    log: Log,
    work: () => Promise<unknown>,
  ): Promise<{ code: string; kind: string; text: string }> {
    try {
      const error = await explained(log, work());
      return { code: error.code, kind: log.classify(error), text: `${inspect(error, { depth: 9 })} ${log.shown}` };
    } finally {
      await log.close();
    }
  }

  it("lets those in who have the right password", async () => {
    await withLog(as("right:pa%3Ass%40%20SECRET"), async (log) => {
      await log.append([record("one", "k")]);
      expect(log.shown).not.toContain("SECRET");
    });
  });

  it("is never told with the password or token that it refuses", async () => {
    for (const login of ["right:SECRET", "SECRET"]) {
      const log = makeLog(as(login));
      const { code, kind, text } = await refusal(log, () => log.open());
      expect([code, kind]).toEqual(["SINK_DENIED", "stop"]);
      expect(text).not.toContain("SECRET");
      expect(text).toContain(log.shown);
    }
  });

  it("names the right that is missing, at once", async () => {
    const name = freshName();
    await withLog(as("anyone:anyone", name), (log) => log.append([record("one", "k")]));
    const nobody = makeLog(as("nobody:SECRET", name));
    expect(await refusal(nobody, () => nobody.open())).toMatchObject({ code: "SINK_DENIED", kind: "stop" });
    const reader = makeLog(as("reader:SECRET", name));
    await reader.open();
    const lanes = await reader.lanes();
    const full = lanes.find(({ end }) => end > 1n) ?? (await firstLane(reader));
    expect((await readSome(reader, full, 1)).length).toBe(1);
    const { code, kind, text } = await refusal(reader, () => reader.append([record("two", "k")]));
    expect([code, kind]).toEqual(["SINK_DENIED", "stop"]);
    expect(text).toContain(name);
    expect(text).not.toContain("SECRET");
  });

  it("that is not there is told as such, and may come", async () => {
    const log = makeLog(`nats://me:SECRET@127.0.0.1:${await freePort()}/${freshName()}`);
    const { code, kind, text } = await refusal(log, () => log.open());
    expect([code, kind]).toEqual(["SINK_UNREACHABLE", "wait"]);
    expect(text).not.toContain("SECRET");
    const other = makeLog(`nats://no.such.host.invalid/${freshName()}`);
    expect(await refusal(other, () => other.open())).toMatchObject({ code: "SINK_UNREACHABLE", kind: "wait" });
  });

  it("and has no JetStream for that user is told as such", async () => {
    const log = makeLog(as("plain:SECRET"));
    expect(await refusal(log, () => log.open())).toMatchObject({ code: "SINK_REFUSED", kind: "stop" });
  });
});
