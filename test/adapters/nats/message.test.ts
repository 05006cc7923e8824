import { describe, expect, it } from "vitest";
import { keyPart } from "../../../src/adapters/nats/bucket.ts";
import { deliveryOf, headerBytes, headersOf } from "../../../src/adapters/nats/record.ts";
import { record } from "../brokers/scene.ts";

describe("where a message stands", () => {
  const delivery = { sequence: 5n, delivered: 7, storedMs: 1_764_028_800_123 };

  it.each([
    ["as servers up to now say it", "$JS.ACK.stream.consumer.1.5.7.1764028800123456789.3"],
    ["with a domain and an account", "$JS.ACK.domain.account.stream.consumer.1.5.7.1764028800123456789.3"],
    ["and with what else there may be", "$JS.ACK._.account.stream.consumer.1.5.7.1764028800123456789.3.random"],
  ])("is read %s", (_, reply) => {
    expect(deliveryOf(reply)).toEqual(delivery);
  });

  it("is not found in what is no acknowledgement", () => {
    for (const reply of ["", "_INBOX.a.b", "$JS.ACK.too.short"]) expect(deliveryOf(reply)).toBeUndefined();
  });
});

describe("headers of a record", () => {
  it("have as many bytes as are counted", () => {
    const headers = headersOf(record("value", "a key/with %", "an id"));
    const text = [...headers].map(([name, [value]]) => `${name}: ${value}\r\n`).join("");
    expect(headerBytes(headers)).toBe(`NATS/1.0\r\n${text}\r\n`.length);
    expect(text).toContain("Millrace-Key: a%20key%2fwith%20%25\r\n");
    expect(text).toContain("Nats-Msg-Id: an%20id\r\n");
  });

  it("name an id that is visible as it is", () => {
    expect(headersOf(record("value", undefined, "event:1/%zz")).get("Nats-Msg-Id")).toBe("event:1/%zz");
  });
});

describe("any text as part of a bucket's key", () => {
  it("is one that NATS takes, and another one for another text", () => {
    expect(keyPart("hired-employees_2")).toBe("hired-employees_2");
    expect(keyPart("a.b *>é")).toBe("a=2eb=20=2a=3e=c3=a9");
    expect(keyPart("")).toBe("=");
  });
});
