import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { duckdbSink } from "../../src/adapters/duckdb/index.ts";
import { fileSink } from "../../src/adapters/file/index.ts";
import { tableFolder } from "../../src/adapters/file/sink-part-name.ts";
import { type SinkHarness, type SinkPlace, sinkBehaviourNames, sinkConformance } from "../../src/conformance/index.ts";
import { quoteIdentifier } from "../../src/core/identifier.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { Sink } from "../../src/ports/sink.ts";
import { readFolder } from "../adapters/file-reader.ts";
import { everyRecord, everyUnit } from "./broken.ts";
import { RowEngine } from "./engine-rows.ts";
import { faults } from "./faults.ts";

let engine: RowEngine;
beforeAll(async () => {
  engine = await RowEngine.open();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

async function filePlace(): Promise<SinkPlace> {
  const root = mkdtempSync(join(tmpdir(), "millrace-broken-"));
  const make = (): Sink => fileSink(parsePlace(`file:${root}`), {}, engine.context);
  return {
    sink: make(),
    other: async () => make(),
    readTable: (table) => readFolder(join(root, tableFolder(table))),
    dropTable: async (table) => rmSync(join(root, tableFolder(table)), { recursive: true }),
    dispose: async () => rmSync(root, { recursive: true }),
  };
}

async function duckdbPlace(): Promise<SinkPlace> {
  const root = mkdtempSync(join(tmpdir(), "millrace-broken-"));
  const make = (): Sink => duckdbSink(parsePlace(`duckdb:${join(root, "place.db")}`), {}, engine.context);
  const sink = make();
  return {
    sink,
    other: async () => make(),
    readTable: async (table) => {
      const rows = [];
      for await (const piece of sink.query(`select * from ${quoteIdentifier(table)}`)) rows.push(...piece);
      return rows;
    },
    dropTable: async () => expect.unreachable(),
    dispose: async () => rmSync(root, { recursive: true }),
  };
}

/** The suite as a table of behaviours instead of tests, so that their failing can be the expected outcome. */
function behavioursOf(
  create: SinkHarness["create"],
  skips: SinkHarness["skips"] = {},
): Map<string, () => Promise<void>> {
  const found = new Map<string, () => Promise<void>>();
  const register = (name: string, body: () => Promise<void>): unknown => found.set(name, body);
  const api = {
    describe: (_: string, body: () => void): unknown => body(),
    it: Object.assign(register, { skip: register }),
    expect,
  };
  const makeRows = (...of: Parameters<RowEngine["makeRows"]>) => engine.makeRows(...of);
  sinkConformance({ name: "broken", api, create, makeRows, skips });
  return found;
}

async function run(behaviours: ReadonlyMap<string, () => Promise<void>>, name: string): Promise<void> {
  const body = behaviours.get(name);
  if (body === undefined) throw new Error(`The suite has no behaviour "${name}"`);
  await body();
}

/** An expectation that does not hold, and not a mistake of the test. */
const mismatch = /^expected .* to deeply equal/;

const pairs = faults.flatMap((fault) => fault.noticedBy.map((name) => ({ fault, what: fault.what, name })));

describe("a sink that is not broken", () => {
  // Through the same wrappers, so that it is the faults that are noticed and not these.
  const wrapped = (place: SinkPlace): SinkPlace => everyRecord(() => ({}))(everyUnit(() => ({}))(place));
  const places = { file: async () => wrapped(await filePlace()), duckdb: async () => wrapped(await duckdbPlace()) };
  const needed = new Set(pairs.map(({ fault, name }) => JSON.stringify([fault.on ?? "file", name])));
  it.each([...needed].map((one) => JSON.parse(one) as [keyof typeof places, string]))("%s: %s", async (on, name) => {
    await run(behavioursOf(places[on]), name);
  });
});

describe("a sink that", () => {
  it.each(pairs)("$what is noticed by: $name", async ({ fault, name }) => {
    const create = async (): Promise<SinkPlace> =>
      fault.breakPlace(await (fault.on === "duckdb" ? duckdbPlace() : filePlace()));
    await expect(run(behavioursOf(create), name)).rejects.toThrow(fault.error ?? mismatch);
  });
});

describe("the suite", () => {
  const skipTest = "skips only behaviours of the suite, each with a reason";

  it("is tried with a fault for every behaviour that does not stand for another", () => {
    const tried = new Set(pairs.map(({ name }) => name));
    expect(sinkBehaviourNames.filter((name) => !tried.has(name))).toEqual([
      // Nothing but the first claim; the others build on it.
      "shows the DDL before it is opened",
      "gives a new lane its initial position",
      "does not mark a replay that is rolled back",
      "reads text that starts with a byte order mark",
    ]);
  });

  it("refuses a skip without a reason", async () => {
    const skips = { "rolls back everything": " " };
    await expect(run(behavioursOf(filePlace, skips), skipTest)).rejects.toThrow(mismatch);
  });

  it("refuses a skip of a behaviour that it does not have", async () => {
    const skips = { "rolls over": "because" };
    await expect(run(behavioursOf(filePlace, skips), skipTest)).rejects.toThrow(mismatch);
  });

  it("shows what is skipped, and why", () => {
    const name = "rolls back everything";
    expect([...behavioursOf(filePlace, { [name]: "no transactions" }).keys()]).toContain(
      `${name} (skipped: no transactions)`,
    );
  });
});
