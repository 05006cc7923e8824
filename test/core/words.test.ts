import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatErrorPlace, MillraceError, toMillraceError } from "../../src/core/error.ts";
import { quoteIdentifier, quoteLiteral, tableNameFrom } from "../../src/core/identifier.ts";
import { addCounts, isBalanced, noCounts } from "../../src/core/ledger.ts";
import { limit } from "../../src/core/limit.ts";
import { decodeLineage, encodeLineage } from "../../src/core/lineage.ts";
import { parsePlace } from "../../src/core/place.ts";
import { retryPauseMs } from "../../src/core/retry.ts";

describe("place", () => {
  const places: readonly [string, object][] = [
    ["./inbox/a.csv", { scheme: "file", path: "./inbox/a.csv", shown: "file:./inbox/a.csv" }],
    ["what?.csv", { scheme: "file", path: "what?.csv" }],
    ["file:./in/*.csv", { scheme: "file", path: "./in/*.csv" }],
    ["file:///abs/a b.csv", { scheme: "file", path: "/abs/a b.csv" }],
    ["file:out?format=csv", { scheme: "file", path: "out", options: new Map([["format", "csv"]]) }],
    ["duckdb:hr.db", { scheme: "duckdb", path: "hr.db" }],
    ["duckdb:/x/y.db?schema=s", { scheme: "duckdb", path: "/x/y.db", options: new Map([["schema", "s"]]) }],
    ["POSTGRES://h/db", { scheme: "postgres" }],
  ];
  for (const [url, expected] of places) {
    it(`reads ${url}`, () => {
      expect(parsePlace(url)).toMatchObject(expected);
    });
  }

  it("never shows a secret", () => {
    const { shown, url } = parsePlace("postgres://me:s3cret@h/db?sslpassword=hidden&schema=a");
    expect(shown).toBe("postgres://me:***@h/db?sslpassword=***&schema=a");
    expect(url).toContain("s3cret");
    for (const bad of ["", " ", "a\0b", "postgres://u:s3cret@h:port/db", "duckdb:"]) {
      expect(() => parsePlace(bad)).toThrow(
        expect.objectContaining({ code: "URL_INVALID", message: expect.not.stringContaining("s3cret") }),
      );
    }
  });
});

describe("identifiers", () => {
  it("are quoted whole", () => {
    expect(quoteIdentifier('a"b')).toBe('"a""b"');
    expect(quoteLiteral("it's")).toBe("'it''s'");
    expect(() => quoteIdentifier("a\0")).toThrow(MillraceError);
  });

  const names: readonly [string, string][] = [
    ["/data/Hired Employees (2).csv.gz", "hired_employees_2"],
    ["2021.csv", "t_2021"],
    ["größe.csv", "größe"],
    ["---.csv", "data"],
    [".csv", "csv"],
    ["in/*.csv", "data"],
  ];
  for (const [file, table] of names) {
    it(`makes ${table} of ${file}`, () => {
      expect(tableNameFrom(file)).toBe(table);
    });
  }
});

describe("lineage", () => {
  it("holds any batch and record in a positive bigint", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 39n - 1n }),
        fc.integer({ min: 0, max: 2 ** 24 - 1 }),
        (batch, record) => {
          const value = encodeLineage(batch, record);
          expect(value >= 0n && value < 2n ** 63n).toBe(true);
          expect(decodeLineage(value)).toEqual({ batch, record });
        },
      ),
    );
  });

  it("has room for every record of a batch", () => {
    expect(limit.batchRecords).toBeLessThanOrEqual(2 ** 24);
  });
});

describe("ledger", () => {
  it("balances when every record is accounted for", () => {
    const one = { read: 5, loaded: 1, merged: 1, filtered: 1, rejected: 2 };
    expect(isBalanced(one)).toBe(true);
    expect(isBalanced({ ...one, rejected: 1 })).toBe(false);
    expect(addCounts(one, addCounts(noCounts, one))).toEqual({
      read: 10,
      loaded: 2,
      merged: 2,
      filtered: 2,
      rejected: 4,
    });
  });
});

describe("errors", () => {
  it("keep code, place and remedy; what is unforeseen is INTERNAL with its cause", () => {
    const cause = new TypeError("x is not a function");
    expect(toMillraceError(cause)).toMatchObject({ code: "INTERNAL", cause, exitCode: 1 });
    const known = new MillraceError("SINK_FULL", "no room", { remedy: "make some" });
    expect(toMillraceError(known)).toBe(known);
    expect(known.exitCode).toBe(3);
    expect(formatErrorPlace({ source: "a.csv", line: 3, column: "id" })).toBe('a.csv:3, column "id"');
    expect(formatErrorPlace({})).toBe("");
  });
});

describe("retry", () => {
  it("pauses longer each time, within its bounds", () => {
    expect([1, 2, 3].map((attempt) => retryPauseMs(attempt, 1))).toEqual([100, 200, 400]);
    for (let attempt = 1; attempt < 100; attempt += 1) {
      expect(retryPauseMs(attempt, 0)).toBeGreaterThanOrEqual(limit.retryFirstMs / 2);
      expect(retryPauseMs(attempt, 1)).toBeLessThanOrEqual(limit.retryMaxMs);
    }
  });
});
