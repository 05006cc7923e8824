import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isJsonObject, type JsonObject } from "../../src/core/json.ts";
import { pipeline } from "../../src/core/pipeline.ts";
import { integer, table, text, timestamp } from "../../src/core/table.ts";
import { addresses } from "../../src/transforms/addresses.ts";
import { jsonOfLoose } from "../../src/transforms/loose-json.ts";
import { profile } from "../../src/transforms/profile/step.ts";
import { repairJson } from "../../src/transforms/repair-json.ts";
import { Bench } from "./scene.ts";
import { twinPlace, usersTwin } from "./users-twin.ts";

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.open();
});

afterAll(() => bench[Symbol.asyncDispose]());

const users = table("users", { id: integer().key(), address: text(), inserted_at: timestamp() });

describe("a file of users with addresses as Python wrote them", { timeout: 120_000 }, () => {
  it("becomes 5000 rows of valid JSON with states by their full names, and says what it changed", async () => {
    const from = await bench.write("users.csv", usersTwin(5000));
    const so = pipeline("users")
      .from(from)
      .check(users)
      .with(repairJson("address"))
      .with(addresses("address"))
      .with(profile())
      .to(`duckdb:${bench.path("users.db")}`);
    const { summary, events, rows } = await bench.run(so, "id");
    expect(summary).toMatchObject({ read: 5000, loaded: 5000, rejected: 0, balanced: true });
    for (const [row, { address }] of rows.entries()) {
      const { city, country, postCode, expected } = twinPlace(row);
      const found = JSON.parse(address as string) as JsonObject;
      expect(found, `row ${row}: ${address as string}`).toEqual({
        city: city.trim(),
        state: expected ?? "US-OUT",
        country: expected === undefined ? "US-OUT" : country,
        postCode: postCode === "" ? null : postCode,
      });
      expect(Object.keys(found)).toEqual(["city", "state", "country", "postCode"]);
    }
    expect(summary.changes).toMatchObject([
      { step: "repairJson", column: "address", what: "changed", count: 5000 },
      // All but those of Oregon, whose name is full.
      { step: "addresses", column: "address", what: "changed", count: 4500 },
    ]);
    expect(summary.changes[0]?.examples[0]?.from).toMatch(/^\{'city'/);
    const measured = events.find(({ event }) => event === "measured");
    expect(measured).toMatchObject({ step: "profile", rows: 5000 });
    const found = measured?.event === "measured" && isJsonObject(measured.parameters) ? measured.parameters : {};
    expect(found).toMatchObject({ rows: 5000 });
    const columns = found["columns"] as readonly JsonObject[];
    // Shape [5000, 3]; no constant, duplicated or missing columns.
    expect(columns.map(({ name, missing, constant, duplicateOf }) => [name, missing, constant, duplicateOf])).toEqual([
      ["id", 0, undefined, undefined],
      ["address", 0, undefined, undefined],
      ["inserted_at", 0, undefined, undefined],
    ]);
  });

  it("keeps what cannot be repaired, counts it, and repairs the others", async () => {
    const from = await bench.write(
      "odd.csv",
      `id,address,inserted_at\n1,no JSON,2022-01-01\n2,{'a': 1},2022-01-01\n3,"{'a': ${"[".repeat(10_000)}}",2022-01-01\n`,
    );
    const so = pipeline("odd")
      .from(from)
      .check(users)
      .with(repairJson("address"))
      .to(`duckdb:${bench.path("odd.db")}`);
    const { summary, rows } = await bench.run(so, "id");
    expect(rows.map(({ address }) => (address as string).slice(0, 8))).toEqual(["no JSON", '{"a":1}', "{'a': [["]);
    expect(summary.changes).toMatchObject([
      { what: "changed", count: 1, examples: [{ from: "{'a': 1}", to: '{"a":1}' }] },
      { what: "kept", count: 2 },
    ]);
  });

  it("has states in columns of their own as well", async () => {
    const places = table("places", {
      id: integer().key(),
      state: text().nullable(),
      country: text(),
      zip: text().nullable(),
    });
    const from = await bench.write(
      "places.csv",
      "id,state,country,zip\n1,u.s. ca,US,\n2,,US,02134\n3,,DE,10115\n4,NEW-YORK,DE,\n",
    );
    const step = addresses({ state: "state", country: "country", postCode: "zip" });
    const so = pipeline("places")
      .from(from)
      .check(places)
      .with(step)
      .to(`duckdb:${bench.path("places.db")}`);
    const { rows } = await bench.run(so, "id");
    expect(rows.map(({ state, country }) => [state, country])).toEqual([
      ["California", "US"],
      ["Massachusetts", "US"],
      ["US-OUT", "US-OUT"],
      ["New York", "DE"],
    ]);
  });
});

describe("a text that means JSON", { timeout: 120_000 }, () => {
  it.each([
    [
      `{'a': 'it\\'s', "b": None, 'c': [True, False, nan], 'd': (1, -2.50, 1e3)}`,
      `{"a":"it's","b":null,"c":[true,false,null],"d":[1,-2.50,1e3]}`,
    ],
    [`{'city': 'Lee's Summit ', 'n': 'O'Brien, Ann'}`, `{"city":"Lee's Summit","n":"O'Brien, Ann"}`],
    [`{"a": "say "hi" now", "b": "x"}`, `{"a":"say \\"hi\\" now","b":"x"}`],
    [`{""a"": ""b""}`, `{"a":"b"}`],
    [`{'a': '\\xe9\\u20ac\\U0001F600\\n', u'b': 12345678901234567890}`, `{"a":"é€😀","b":12345678901234567890}`],
    [`{1: 'x', None: 2,}`, `{"1":"x","null":2}`],
    [` {"a": " b "} `, `{"a":"b"}`],
    [`{'a': 'b'`, undefined],
    [`{'a': 007}`, undefined],
    [`{'a': foo}`, undefined],
    [`{'a': 1} x`, undefined],
  ])("%s", (text_, json) => {
    expect(jsonOfLoose(text_)).toBe(json);
    if (json !== undefined) JSON.parse(json);
  });

  it("is JSON as it is, whatever it is", () => {
    const value = { a: [1, -0.5, "q\"'\\ \u2028x", null, { "k'": true, "": [] }], z: {} };
    expect(JSON.parse(jsonOfLoose(JSON.stringify(value)) ?? "")).toEqual(value);
  });
});
