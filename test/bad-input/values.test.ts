import { expect, test } from "vitest";
import { expectLoaded, Scene, shown } from "./attempt.ts";

interface Case {
  readonly column: object;
  readonly good: readonly string[];
  readonly bad: readonly string[];
}

/** A column of each type: values at the edge of what it holds, and values beyond it. */
const cases: readonly (Case & { readonly title: string })[] = [
  {
    title: "integer",
    column: { type: "integer" },
    good: ["0", "-1", "2147483647", "-2147483648"],
    bad: ["2147483648", "-2147483649", "99999999999999999999", "1e3", "1.5", "0x10", "１２", "--1", "twelve", "NaN"],
  },
  {
    title: "bigint",
    column: { type: "bigint" },
    good: ["9223372036854775807", "-9223372036854775808"],
    bad: ["9223372036854775808", "-9223372036854775809", "9".repeat(500)],
  },
  {
    title: "double",
    column: { type: "double" },
    good: ["1e308", "-0.5", "1E-300"],
    bad: ["1e309", "-1e999", "inf", "Infinity", "nan", "1,5", "0x1p3", "1_000"],
  },
  {
    title: "decimal(6,2)",
    column: { type: "decimal", precision: 6, scale: 2 },
    good: ["9999.99", "-9999.99", "0.1"],
    bad: ["10000", "99999.99", "1e9", "abc"],
  },
  {
    title: "boolean",
    column: { type: "boolean" },
    good: ["true", "F", "yes", "0"],
    bad: ["2", "maybe", "truely", "on and off"],
  },
  {
    title: "date",
    column: { type: "date" },
    good: ["2024-02-29", "0001-01-01", "9999-12-31"],
    bad: [
      "2023-02-29",
      "2023-02-30",
      "2023-13-01",
      "2023-00-10",
      "2023-04-31",
      "07.11.2021",
      "2023-1",
      "yesterday",
      "20230101x",
    ],
  },
  {
    title: "timestamp",
    column: { type: "timestamp" },
    good: ["2021-11-07T02:48:42Z", "2021-11-07 02:48:42.123456", "2021-11-07T02:48:42+02:00"],
    bad: [
      "2021-02-30T00:00:00Z",
      "2021-11-07T25:00:00Z",
      "2021-11-07T00:60:00Z",
      "2021-11-07T",
      "now",
      "infinity",
      "epoch",
    ],
  },
  {
    title: "timestamp of a form",
    column: { type: "timestamp", format: "%Y-%m-%dT%H:%M:%SZ" },
    good: ["2021-11-07T02:48:42Z", "2024-02-29T23:59:59Z"],
    bad: [
      "2021-02-30T00:00:00Z",
      "2021-11-07T24:00:00Z",
      "2021-11-07T02:48:42",
      "2021-11-07 02:48:42Z",
      "10000-01-01T00:00:00Z",
    ],
  },
  {
    title: "uuid",
    column: { type: "uuid" },
    good: ["123e4567-e89b-12d3-a456-426614174000"],
    bad: ["123e4567-e89b-12d3-a456-42661417400", "g23e4567-e89b-12d3-a456-426614174000", "none"],
  },
  {
    title: "json",
    column: { type: "json" },
    good: ['"{""a"":[1,2]}"', "null", "1"],
    bad: ["{a:1}", '"{""a"":"', "[1;2]", "undefined"],
  },
];

test.each(cases)(
  "$title: what does not fit is a reject with column, value and record",
  async ({ column, good, bad }) => {
    using scene = new Scene();
    const records = [...good, ...bad].map(
      (value, index) => `${index},${value.includes(",") && !value.startsWith('"') ? `"${value}"` : value}`,
    );
    const contract = { table: "hired", columns: { id: { type: "integer" }, value: column } };
    const content = records.map((record) => `${record}\n`).join("");
    const outcome = await scene.load({ content, contract, source: { header: false } });
    const { rejects } = await expectLoaded(scene, outcome, { read: records.length, rejected: bad.length });
    expect(rejects.map(shown)).toEqual(
      bad.map((_, index) => [good.length + index + 1, ["value type"], records[good.length + index]]),
    );
  },
);

test("every rule that a value breaks is a reason of its own", async () => {
  using scene = new Scene();
  const columns = {
    id: { type: "integer", min: 1, max: 10 },
    code: { type: "text", minLength: 3, maxLength: 5, pattern: "[A-Z]+", oneOf: ["ABC", "DEFGH"] },
    day: { type: "date", min: "2021-01-01", max: "2021-12-31" },
  };
  const contract = { table: "hired", columns, checks: { "early codes": "id < 5 or code = 'ABC'" } };
  const content = "1,ABC,2021-05-05\n0,ab,2020-01-01\n11,abcdef,2022-01-01\n7,DEFGH,2021-05-05\n";
  const { rejects } = await expectLoaded(scene, await scene.load({ content, contract, source: { header: false } }), {
    read: 4,
    rejected: 3,
  });
  expect(rejects.map((reject) => shown(reject)[1].toSorted())).toEqual([
    ["code minLength", "code oneOf", "code pattern", "day min", "id min"],
    ["check", "code maxLength", "code oneOf", "code pattern", "day max", "id max"],
    ["check"],
  ]);
});

test("a value of a megabyte is shown shortened in its reason and kept whole no longer than the bound", async () => {
  using scene = new Scene();
  const contract = { table: "hired", columns: { id: { type: "integer" }, value: { type: "integer" } } };
  const outcome = await scene.load({ content: `1,${"9".repeat(1_000_000)}\n`, contract, source: { header: false } });
  const { rejects } = await expectLoaded(scene, outcome, { read: 1, rejected: 1 });
  expect(rejects[0]?.truncated).toBe(true);
  expect(rejects[0]?.bytes.length).toBe(64 * 1024);
  expect(JSON.stringify(rejects[0]?.reasons).length).toBeLessThan(1500);
});
