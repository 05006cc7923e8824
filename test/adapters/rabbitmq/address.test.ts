import { describe, expect, it } from "vitest";
import { readAddress } from "../../../src/adapters/rabbitmq/address.ts";
import { limit } from "../../../src/core/limit.ts";
import { parsePlace } from "../../../src/core/place.ts";

const read = (url: string) => readAddress(parsePlace(url));

describe("an amqp URL", () => {
  it("names hosts, virtual host and queue, and who is there", () => {
    const address = read("amqp://us%40er:p%3Ass:w@one:1,[::1],two/%2Fv%20h/or%20ders?records=1&seen=6h&kind=classic");
    expect(address).toMatchObject({
      hosts: [
        { name: "one", port: 1 },
        { name: "::1", port: 5672 },
        { name: "two", port: 5672 },
      ],
      ...{ user: "us@er", password: "p:ss:w", virtualHost: "/v h", queue: "or ders", deadQueue: "or ders.dead" },
      ...{ tls: undefined, kind: "classic", recordsMax: 1, repeatMs: 21_600_000 },
    });
    expect(address.shown).not.toMatch(/p%3Ass|p:ss/);
  });

  it("has standards", () => {
    expect(read("amqps://host/q?dead=other")).toMatchObject({
      ...{ hosts: [{ name: "host", port: 5671 }], user: "guest", password: "guest", virtualHost: "/" },
      ...{ tls: { rejectUnauthorized: true }, deadQueue: "other", prefetchMax: limit.queuePrefetch },
    });
  });

  it.each([
    ["amqp://host", "no host and queue"],
    ["amqp://host/", "no host and queue"],
    ["amqp://ho st/q", "it does not parse"],
    ["amqp://host:0/q", "its port is not a number from 1"],
    ["amqp://host/q?prefech=1", "unknown option prefech"],
    ["amqp://host/q?deliveries=3", "its deliveries is not a number from 4"],
    ["amqp://host/q?seen=7", "its seen is not a time"],
    ["amqp://host/amq.q", "a name that cannot be used"],
    ["amqp://host/q?tls=true", "options of TLS"],
    ["amqps://host/q?tls_ca=/nowhere/ca.pem", "tls_ca"],
  ])("that is %s is refused, and why is said", (url, why) => {
    expect(() => read(url)).toThrow(expect.objectContaining({ code: "URL_INVALID" }) as Error);
    expect(() => read(url)).toThrow(why);
  });
});
