import { describe, expect, it } from "vitest";
import { readAddress } from "../../../src/adapters/nats/address.ts";
import { MillraceError } from "../../../src/core/error.ts";
import { parsePlace } from "../../../src/core/place.ts";
import { makeLog } from "./scene.ts";

const read = (url: string) => readAddress(parsePlace(url));

function refusal(url: string): { code: string; message: string } {
  try {
    makeLog(url);
  } catch (error) {
    if (error instanceof MillraceError) return { code: error.code, message: `${error.message} ${error.remedy}` };
    throw error;
  }
  throw new Error("it was taken");
}

describe("a nats URL", () => {
  it("names servers, the log and how it is made", () => {
    expect(read("nats://one:4223/events")).toMatchObject({
      ...{ servers: ["one:4223"], name: "events", lanes: 8, replicas: 1, login: undefined, tls: undefined },
      ...{ bytesMax: undefined, retentionMs: undefined, trimsSettled: false },
    });
    expect(read("nats://one,two/events?lanes=3&replicas=3&max=10GB&retention=7d&trim=settled")).toMatchObject({
      ...{ servers: ["one:4222", "two:4222"], lanes: 3, replicas: 3, bytesMax: 10 * 2 ** 30 },
      ...{ retentionMs: 7 * 86_400_000, trimsSettled: true },
    });
    expect(read("nats://one:1/events?servers=two:2,[::1]:3").servers).toEqual(["one:1", "two:2", "[::1]:3"]);
  });

  it("says who logs in, and never shows it", () => {
    const user = read("nats://me:pa%20ss@one/events");
    expect(user.login).toEqual({ kind: "user", user: "me", password: "pa ss" });
    expect(user.shown).toBe("nats://me:***@one/events");
    const token = read("nats://s3cret@one/events");
    expect(token.login).toEqual({ kind: "token", token: "s3cret" });
    expect(token.shown).toBe("nats://***@one/events");
    const option = read("nats://one/events?token=s3cret");
    expect(option.login).toEqual({ kind: "token", token: "s3cret" });
    expect(option.shown).not.toContain("s3cret");
  });

  it("says whether to talk TLS", () => {
    expect(read("nats://one/events?tls=true").tls).toEqual({});
    expect(read("nats://one/events?tls=false").tls).toBeNull();
    expect(read("nats://one/events?tls=unverified").tls).toEqual({ rejectUnauthorized: false });
    expect(read(`nats://one/events?tls_ca=${import.meta.filename}`).tls).toMatchObject({ ca: expect.any(String) });
  });

  it.each([
    ["no stream", "nats://me:SECRET@one"],
    ["a stream with a dot", "nats://me:SECRET@one/a.b"],
    ["a stream with a wildcard", "nats://SECRET@one/a*"],
    ["an option that is none", "nats://SECRET@one/events?lane=3"],
    ["no lanes", "nats://SECRET@one/events?lanes=0"],
    ["a size that is none", "nats://SECRET@one/events?max=much"],
    ["a size for nothing", "nats://SECRET@one/events?max=1000"],
    ["a time that is none", "nats://SECRET@one/events?retention=7"],
    ["a user without a password", "nats://one/events?user=me"],
    ["a server that is none", "nats://SECRET@one/events?servers=two:x"],
    ["a percent sign", "nats://SECRET%@one/events"],
    ["a file that is not there", "nats://SECRET@one/events?creds=/nowhere"],
    ["an unknown tls", "nats://SECRET@one/events?tls=perhaps"],
    ["files for no TLS", `nats://SECRET@one/events?tls=false&tls_ca=${import.meta.filename}`],
  ])("is refused with %s, without its secret", (_, url) => {
    const { code, message } = refusal(url);
    expect(code).toBe("URL_INVALID");
    expect(message).not.toContain("SECRET");
  });
});
