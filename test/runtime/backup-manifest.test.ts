import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decimal, integer, table, text } from "../../src/core/table.ts";
import {
  backupColumns,
  type BackupManifest,
  differenceOf,
  manifestText,
  parseManifest,
} from "../../src/runtime/backup-manifest.ts";
import {
  backupFileName,
  fileNames,
  isVersion,
  parseBackupName,
  tableSegments,
  versionAt,
  versionTime,
} from "../../src/runtime/backup-name.ts";

const people = table("people", { id: integer().key(), name: text().nullable(), pay: decimal(10, 2) });

const manifest: BackupManifest = {
  format: 1,
  table: "people",
  version: "20221130T101500123Z-a1b2c3",
  createdAt: "2022-11-30T10:15:00.123Z",
  place: "duckdb:people.db",
  rows: 3,
  digest: "0123456789abcdef0123456789abcdef",
  contract: people,
  columns: backupColumns(people, true),
  files: [
    { name: "data.parquet", format: "parquet", bytes: 10, sha256: "a".repeat(64) },
    { name: "data.avro", format: "avro", bytes: 20, sha256: "b".repeat(64) },
  ],
};

type Json = Record<string, unknown>;
const asJson = (): Json => JSON.parse(manifestText(manifest)) as Json;
const parse = (json: unknown): BackupManifest => parseManifest(JSON.stringify(json), "people 1");

describe("a manifest", () => {
  it("is read as it was written", () => {
    expect(parseManifest(manifestText(manifest), "people 1")).toEqual(manifest);
    const plain = { ...manifest, columns: backupColumns(people, false) };
    expect(parseManifest(manifestText(plain), "people 1")).toEqual(plain);
  });

  const set = (field: string, value: unknown) => (json: Json) => void (json[field] = value);
  const ofFile = (field: string, value: unknown) => (json: Json) => {
    for (const file of json["files"] as Json[]) file[field] = value;
  };

  it.each<[string, (json: Json) => unknown, string]>([
    ["of another format", set("format", 2), "its format is 2"],
    ["without a format", (json) => delete json["format"], '"format"'],
    ["with a field that it does not know", set("more", 1), '"more"'],
    ["that leads to other files", ofFile("name", "../../others/data.parquet"), "is not called"],
    ["with an absolute path", ofFile("name", "/etc/passwd"), "is not called"],
    ["with a size that is none", ofFile("bytes", -1), "bytes"],
    ["with a size in words", ofFile("bytes", "many"), "bytes"],
    ["with a checksum that is none", ofFile("sha256", "0"), "sha256"],
    ["with a field of a file that it does not know", ofFile("path", "x"), '"path"'],
    ["without files", set("files", []), "files"],
    ["with files that are no list", set("files", {}), "files"],
    ["with files in another order", (json) => (json["files"] as unknown[]).reverse(), "parquet"],
    ["with a count that is none", set("rows", 1.5), "rows"],
    ["with a count below zero", set("rows", -1), "rows"],
    ["with a digest that is none", set("digest", "xyz"), "digest"],
    ["with another time than its version's", set("createdAt", "2020-01-01T00:00:00.000Z"), "createdAt"],
    ["with a version that is none", set("version", "../x"), "version"],
    ["of no table", set("table", ""), "table"],
    ["of no place", set("place", 1), "place"],
    ["whose contract is another table's", set("table", "others"), "another table"],
    ["whose contract has a mistake", set("contract", { table: "people", columns: { id: {} } }), "contract"],
    ["whose columns are not the contract's", set("columns", [{ name: "id", type: "integer" }]), "columns"],
    ["whose columns say more", (json) => Object.assign((json["columns"] as Json[])[0] ?? {}, { path: "x" }), "columns"],
  ])("%s is refused", (_, change, told) => {
    const json = asJson();
    change(json);
    expect(() => parse(json)).toThrow(
      expect.objectContaining({ code: "BACKUP_INVALID", message: expect.stringContaining(told) }),
    );
  });

  it.each(["", "[]", "null", "3", '"text"', "PAR1", '{"format": 1, "table": "peo'])(
    "that is %j is refused",
    (given) => {
      expect(() => parseManifest(given, "people 1")).toThrow(expect.objectContaining({ code: "BACKUP_INVALID" }));
    },
  );

  it("with any one part changed is refused, or says something else", () => {
    const paths = leavesOf(asJson());
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const json = asJson();
        put(json, path, value);
        try {
          expect(parse(json)).toEqual({ ...parse(json) });
          expect(JSON.stringify(JSON.parse(manifestText(parse(json))))).toBe(JSON.stringify(json));
        } catch (error) {
          if ((error as { code?: string }).code !== "BACKUP_INVALID") throw error;
        }
      }),
      { numRuns: 500 },
    );
  });

  it("is compared with a contract by what rows are kept by", () => {
    expect(differenceOf(manifest, people)).toBe(undefined);
    const reordered = table("people", { pay: decimal(10, 2), name: text().minLength(3), id: integer().key() });
    expect(differenceOf(manifest, reordered)).toBe(undefined);
    const other = table("people", { id: integer().key(), name: text(), pay: decimal(10, 3) });
    expect(differenceOf(manifest, other)).toBe(
      'its column "pay" is decimal(10,2), and in the contract it is decimal(10,3)',
    );
  });
});

function leavesOf(json: unknown, path: readonly string[] = []): string[][] {
  if (typeof json !== "object" || json === null) return [[...path]];
  return Object.entries(json).flatMap(([name, value]) => leavesOf(value, [...path, name]));
}

function put(json: Json, path: readonly string[], value: unknown): void {
  const last = path.at(-1) ?? "";
  const inner = path.slice(0, -1).reduce((at, name) => at[name] as Json, json);
  inner[last] = value;
}

describe("names in an archive", () => {
  const of = (tableName: string, version = manifest.version) =>
    backupFileName({ table: tableName, version, file: fileNames.manifest });

  it("are the table's where it is plain, and can be read back for any table", () => {
    expect(of("hired_employees")).toBe("hired_employees/20221130T101500123Z-a1b2c3/manifest.json");
    expect(tableSegments("Every thing.é")).toEqual(["Every.20thing.2E.C3.A9"]);
    expect(tableSegments("..")).toEqual([".2E.2E"]);
    expect(tableSegments("a/b")).toEqual(["a.2Fb"]);
  });

  it("belong to one table each", () => {
    const tables = fc.string({ unit: "binary", minLength: 1, maxLength: 80 }).filter((name) => name.isWellFormed());
    fc.assert(
      fc.property(tables, tables, (one, other) => {
        expect(parseBackupName(of(one))).toEqual({ table: one, version: manifest.version, file: "manifest.json" });
        expect(of(one) === of(other)).toBe(one === other);
        for (const segment of tableSegments(one)) expect(segment.length).toBeLessThanOrEqual(210);
      }),
    );
    expect(parseBackupName(of("€".repeat(63)))?.table).toBe("€".repeat(63));
  });

  it.each([
    "people/20221130T101500123Z-a1b2c3",
    "20221130T101500123Z-a1b2c3/manifest.json",
    "people/20221130T101500123Z-A1B2C3/manifest.json",
    "people/20221330T101500123Z-a1b2c3/manifest.json",
    "people/newest/manifest.json",
    "p.65ople/20221130T101500123Z-a1b2c3/manifest.json",
    "p.zz/20221130T101500123Z-a1b2c3/manifest.json",
    "a.FF/20221130T101500123Z-a1b2c3/manifest.json",
    "a/b/20221130T101500123Z-a1b2c3/manifest.json",
    "a.-/20221130T101500123Z-a1b2c3/manifest.json",
    "../20221130T101500123Z-a1b2c3/manifest.json",
  ])("%s is none", (name) => {
    expect(parseBackupName(name)).toBe(undefined);
  });

  it("have versions that sort by time", () => {
    const times = fc.integer({ min: 0, max: Date.parse("9999-12-31T23:59:59.999Z") });
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(times, times, chance, chance, (one, other, a, b) => {
        const [first, second] = [versionAt(one, a), versionAt(other, b)];
        expect([isVersion(first), versionTime(first)]).toEqual([true, one]);
        if (one < other) expect(first < second).toBe(true);
      }),
    );
  });
});
