import { describe, expect, test } from "vitest";
import { readAddress } from "../../../src/adapters/kafka/address.ts";
import { kafkaLog } from "../../../src/adapters/kafka/index.ts";
import { parsePlace } from "../../../src/core/place.ts";
import { context } from "./scene.ts";

function read(url: string): ReturnType<typeof readAddress> {
  return readAddress(parsePlace(url));
}

function refusal(url: string): string {
  try {
    read(url);
  } catch (error) {
    expect(error).toMatchObject({ code: "URL_INVALID" });
    return (error as Error).message;
  }
  throw new Error(`${url} was read`);
}

describe("the URL of a Kafka topic", () => {
  test("names brokers and a topic; everything else has a default", () => {
    expect(read("kafka://one/events")).toMatchObject({
      brokers: [{ host: "one", port: 9092 }],
      topic: "events",
      clientId: "millrace",
      tls: undefined,
      sasl: undefined,
      partitions: undefined,
      replicas: undefined,
      compression: "none",
      lingerMs: 2,
      timeoutMs: 30_000,
      sessionMs: 10_000,
    });
  });

  test("names several brokers", () => {
    const brokers = [1, 2, 3].map((number) => ({ host: `host${number}`, port: 9090 + number }));
    expect(read("kafka://host1:9091/t?brokers=host2:9092,host3:9093").brokers).toEqual(brokers);
    const several = read("kafka://ann:a%2Fb@host1:9091,host2:9092,host3:9093/t?sasl=plain");
    expect(several).toMatchObject({ brokers, sasl: { username: "ann", password: "a/b" } });
    expect(several.shown).toBe("kafka://ann:***@host1:9091,host2:9092,host3:9093/t?sasl=plain");
    expect(read("kafka://[::1]:9094/t").brokers).toEqual([{ host: "::1", port: 9094 }]);
  });

  test("takes options", () => {
    const options = [
      ...["partitions=8", "replicas=3", "compression=zstd", "linger_ms=0", "timeout_ms=5000", "session_ms=6000"],
      ...["client_id=me", "topic.retention.ms=86400000", "tls=unverified", "sasl=scram-sha-512", "password=p"],
    ];
    const address = read(`kafka://ann@h/t?${options.join("&")}`);
    expect(address).toMatchObject({
      ...{ partitions: 8, replicas: 3, compression: "zstd", lingerMs: 0, timeoutMs: 5_000, sessionMs: 6_000 },
      clientId: "me",
      tls: { rejectUnauthorized: false },
      sasl: { mechanism: "SCRAM-SHA-512", username: "ann", password: "p" },
    });
    expect([...address.topicSettings]).toEqual([["retention.ms", "86400000"]]);
  });

  test("is refused where it cannot be meant", () => {
    expect(refusal("kafka://h/t?partitons=3")).toContain("unknown option partitons");
    expect(refusal("kafka://h/t?partitions=none")).toContain("partitions is not a number");
    expect(refusal("kafka://h/t?compression=zip")).toContain("unknown compression");
    expect(refusal("kafka://h")).toContain("names no host and topic");
    expect(refusal("kafka://h/a/b")).toContain("names no host and topic");
    expect(refusal("kafka://h/a%20b")).toContain("a name that Kafka does not take");
    expect(refusal("kafka://h/..%2F")).toContain("a name that Kafka does not take");
    expect(refusal("kafka://ann:p@h/t")).toContain("not how to log in");
    expect(refusal("kafka://ann@h/t?sasl=plain")).toContain("not both user and password");
    expect(refusal("kafka://ann:p@h/t?sasl=kerberos")).toContain("unknown sasl");
    expect(refusal("kafka://h/t?tls_ca=/x")).toContain("tls_ca without tls");
    expect(refusal("kafka://h/t?tls=true&tls_ca=/not/there")).toContain("tls_ca");
    expect(refusal("kafka://h/t?brokers=:1")).toContain("not host:port");
  });

  test("never shows a password", () => {
    for (const url of [
      "kafka://ann:12345/secret@h/t?sasl=plain",
      "kafka://ann:12345?secret@h/t",
      "kafka://ann:secret@h/t?sasl=none",
      "kafka://ann:secret@h/t?sasl=plain&wrong=1",
      "kafka://h/t?password=secret&sasl=plain",
    ]) {
      expect(refusal(url)).not.toContain("secret");
    }
    const log = kafkaLog(parsePlace("kafka://ann:secret@h/t?sasl=plain"), context);
    expect(log.shown).toBe("kafka://ann:***@h/t?sasl=plain");
    expect(log.explain(new Error("it said secret")).message).not.toContain("secret");
  });
});
