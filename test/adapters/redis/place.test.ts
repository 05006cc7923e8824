import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { readDatabaseAddress } from "../../../src/adapters/redis/address.ts";
import { readLogAddress } from "../../../src/adapters/redis/log-address.ts";
import { idOf, offsetOf } from "../../../src/adapters/redis/offset.ts";
import { MillraceError } from "../../../src/core/error.ts";
import { parsePlace } from "../../../src/core/place.ts";
import { makeLog } from "./scene.ts";

const read = (url: string) => readLogAddress(parsePlace(url));

function refusal(url: string): { code: string; message: string } {
  try {
    makeLog(url);
  } catch (error) {
    if (error instanceof MillraceError) return { code: error.code, message: `${error.message} ${error.remedy}` };
    throw error;
  }
  throw new Error("it was taken");
}

describe("a redis URL of a log", () => {
  it("names the server, the database, the log and how it is made", () => {
    expect(read("redis://one?stream=events")).toMatchObject({
      ...{ host: "one", port: 6379, db: 0, name: "events", lanes: 8, user: undefined, password: undefined },
      ...{ tls: undefined, bytesMax: undefined, retentionMs: undefined, trimsSettled: false, replicas: 0, syncs: true },
    });
    expect(
      read("redis://one:1234/3?stream=a.b:c&lanes=3&replicas=2&max=10GB&retention=7d&trim=settled&sync=false"),
    ).toMatchObject({
      ...{ port: 1234, db: 3, name: "a.b:c", lanes: 3, replicas: 2, bytesMax: 10 * 2 ** 30 },
      ...{ retentionMs: 7 * 86_400_000, trimsSettled: true, syncs: false },
    });
    expect(read("redis://[::1]:7/0/events").host).toBe("::1");
  });

  it("is shown with the log's name, and without its secret", () => {
    const { user, password, shown } = read("redis://me:pa%20ss@one/2?stream=events&lanes=3");
    expect([user, password, shown]).toEqual(["me", "pa ss", "redis://me:***@one:6379/2/events"]);
    expect(read("redis://me:***@one:6379/2/events")).toMatchObject({ db: 2, name: "events" });
    expect(read("redis://:s3cret@one?stream=events")).toMatchObject({
      ...{ user: undefined, password: "s3cret", shown: "redis://:***@one:6379/0/events" },
    });
    expect(read("redis://one?stream=events&password=s3cret").shown).toBe("redis://:***@one:6379/0/events");
  });

  it("may leave its password to a file, as that of a store may", () => {
    const folder = mkdtempSync(join(tmpdir(), "millrace-redis-"));
    try {
      const file = join(folder, "password");
      writeFileSync(file, "s3cret\n", { mode: 0o600 });
      const log = { user: "me", password: "s3cret", shown: "redis://me:***@one:6379/2/events" };
      expect(read(`redis://me@one/2/events?password_file=${file}`)).toMatchObject(log);
      const store = { user: "me", password: "s3cret", shown: "redis://me:***@one:6379/2" };
      expect(readDatabaseAddress(parsePlace(`redis://me@one/2?password_file=${file}`))).toMatchObject(store);
      expect(read(`redis://me:other@one/2/events?password_file=${file}`).password).toBe("other");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("says whether to talk TLS", () => {
    expect(read("rediss://one?stream=events").tls).toEqual({ rejectUnauthorized: true });
    expect(read("rediss://one?stream=events&tls=unverified").tls).toEqual({ rejectUnauthorized: false });
    const ca = `tls=true&tls_ca=${import.meta.filename}`;
    expect(read(`redis://one?stream=events&${ca}`).tls).toMatchObject({
      rejectUnauthorized: true,
      ca: expect.any(String),
    });
  });

  it.each([
    ["no stream", "redis://me:SECRET@one/0"],
    ["a stream with braces", "redis://me:SECRET@one?stream={a}"],
    ["a database that is none", "redis://me:SECRET@one/first?stream=a"],
    ["an option that is none", "redis://me:SECRET@one?stream=a&lane=3"],
    ["no lanes", "redis://me:SECRET@one?stream=a&lanes=0"],
    ["a size that is none", "redis://me:SECRET@one?stream=a&max=much"],
    ["a time that is none", "redis://me:SECRET@one?stream=a&retention=7"],
    ["a user without a password", "redis://me@one?stream=a"],
    ["TLS that is none", "rediss://me:SECRET@one?stream=a&tls=false"],
    ["a percent sign", "redis://me:SECRET%@one?stream=a"],
    ["a file that is not there", "rediss://me:SECRET@one?stream=a&tls_ca=/nowhere"],
    ["no host", "redis:///0?stream=a&password=SECRET"],
  ])("is refused with %s, without its secret", (_, url) => {
    const { code, message } = refusal(url);
    expect(code).toBe("URL_INVALID");
    expect(message).not.toContain("SECRET");
  });
});

describe("a redis URL of a store", () => {
  it.each(["redis://one/0/events", "redis://one/0?stream=events", "redis://one/0?lanes=3", "redis://one/first"])(
    "is refused when it is one of a log: %s",
    (url) => {
      expect(() => readDatabaseAddress(parsePlace(url))).toThrow(expect.objectContaining({ code: "URL_INVALID" }));
    },
  );
});

describe("the offset of an entry", () => {
  it("is its id as one number, in the same order, there and back", () => {
    expect(offsetOf("0-0")).toBe(0n);
    expect(offsetOf("1700000000000-5")).toBe((1_700_000_000_000n << 21n) + 5n);
    const ids = fc.tuple(fc.bigInt(0n, (1n << 42n) - 1n), fc.bigInt(0n, (1n << 21n) - 1n));
    fc.assert(
      fc.property(ids, ids, ([ms, seq], [otherMs, otherSeq]) => {
        const [one, other] = [offsetOf(`${ms}-${seq}`) ?? -1n, offsetOf(`${otherMs}-${otherSeq}`) ?? -1n];
        expect([one >= 0n, one < 1n << 63n, idOf(one)]).toEqual([true, true, `${ms}-${seq}`]);
        const isBefore = ms < otherMs || (ms === otherMs && seq < otherSeq);
        expect(one < other).toBe(isBefore);
      }),
    );
  });

  it.each(["4398046511104-0", "1-2097152", "18446744073709551615-18446744073709551615", "1", "1-", "a-1", ""])(
    "is none for %s",
    (id) => {
      expect(offsetOf(id)).toBeUndefined();
    },
  );
});
