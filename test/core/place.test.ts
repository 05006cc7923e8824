import { inspect } from "node:util";
import { expect, test } from "vitest";
import { MillraceError } from "../../src/core/error.ts";
import { parsePlace } from "../../src/core/place.ts";

function refusalOf(url: string): MillraceError {
  try {
    parsePlace(url);
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error(`${url} was taken`);
}

/** All that a log could write of it, causes and their fields included. */
const written = (value: unknown): string => inspect(value, { depth: 10, showHidden: true });

test.each([
  ["that does not parse", "postgres://me:s3cret@host:port/hr"],
  ["with a slash in its password", "postgres://me:s3/cret@host:x/hr"],
  ["with a NUL byte", "postgres://me:s3cret@host/hr\0"],
  ["without a path", "duckdb:?token=s3cret"],
  ["with several hosts of which one does not parse", "kafka://me:s3cret@host:9092,other:x/topic"],
  ["with a host too many", "kafka://me:s3cret@host:9092,/topic"],
])("the refusal of a URL %s holds nothing of its secrets", (_, url) => {
  const refusal = refusalOf(url);
  expect(refusal.code).toBe("URL_INVALID");
  expect(written(refusal)).not.toMatch(/s3|cret/);
});

test.each([
  ["postgres://me:s3cret@host/hr", "postgres://me:***@host/hr"],
  ["postgres://me@host/hr?password=s3cret&schema=x", "postgres://me@host/hr?password=***&schema=x"],
  ["s3://bucket/key?secretAccessKey=s3cret", "s3://bucket/key?secretAccessKey=***"],
  ["postgres:me:s3cret@host/hr", "postgres:***@host/hr"],
  ["me:s3cret@host/hr", "me:***@host/hr"],
  ["duckdb:hr.db?token=s3cret", "duckdb:hr.db"],
  ["file:in/me@home.csv", "file:in/me@home.csv"],
  ["nats://s3cret@host/events", "nats://***@host/events"],
  ["nats://s3cret:@host,other:4223/events", "nats://***@host,other:4223/events"],
  ["nats://me:s3,cret@host/events?token=s3cret", "nats://me:***@host/events?token=***"],
  [
    "kafka://me:s3,cret@host:9092,other:9093,[::1]:9094/topic?user=me",
    "kafka://me:***@host:9092,other:9093,[::1]:9094/topic?user=me",
  ],
])("%s is shown without its secret", (url, shown) => {
  expect(parsePlace(url).shown).toBe(shown);
});

test("a place of several hosts has its options as one with one host", () => {
  const { scheme, options, url } = parsePlace("kafka://one:9092,other:9092/topic?replicas=3&tls=true");
  expect({ scheme, options: [...options] }).toEqual({
    scheme: "kafka",
    options: [
      ["replicas", "3"],
      ["tls", "true"],
    ],
  });
  expect(url).toContain("one:9092,other:9092");
});
