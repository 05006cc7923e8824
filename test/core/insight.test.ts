import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MillraceError } from "../../src/core/error.ts";
import { bindParameters, SqlMistake } from "../../src/core/insight-sql.ts";
import { parseInsight } from "../../src/core/insight-parser.ts";
import { parameterText } from "../../src/core/insight-value.ts";
import type { ColumnType } from "../../src/core/contract.ts";
import { limit } from "../../src/core/limit.ts";

const full = `-- Employees hired per department
-- in a year.
--
-- Those of no department are left out.
-- parameter year integer = 2021: year of hiring: a number
-- parameter name text = 'a: b''c'
-- parameter since timestamp = 2021-01-01T00:00:00: when
-- parameter until date = null
-- parameter least decimal(10, 2)
-- column department text: name of the department
-- column hired bigint
-- table departments
-- table hired_employees
-- order by department, hired desc

select department, count(*) as hired from hired_employees where year = :year and name = :name
  and at >= :since and (:until is null or at < :until) and x > :least group by department;
-- the end
`;

const parse = (text: string, name = "HIRES") => parseInsight(text, name, `insights/${name}.sql`);

/** The message and line of INSIGHT_INVALID. */
function mistakeOf(text: string, name?: string): { message: string; line: number | undefined } {
  try {
    parse(text, name);
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== "INSIGHT_INVALID") throw error;
    expect(error.at.source).toContain(".sql");
    return { message: error.message, line: error.at.line };
  }
  throw new Error("it was taken");
}

describe("the file of an insight", () => {
  it("says what it answers, what it takes and what it reads", () => {
    const insight = parse(full);
    expect(insight).toEqual({
      name: "HIRES",
      about: "Employees hired per department in a year.\n\nThose of no department are left out.",
      parameters: [
        { name: "year", type: "integer", required: false, default: 2021, about: "year of hiring: a number" },
        { name: "name", type: "text", required: false, default: "a: b'c", about: "" },
        { name: "since", type: "timestamp", required: false, default: "2021-01-01T00:00:00", about: "when" },
        { name: "until", type: "date", required: false, about: "" },
        { name: "least", type: "decimal", precision: 10, scale: 2, required: true, about: "" },
      ],
      columns: [
        { name: "department", type: "text", about: "name of the department" },
        { name: "hired", type: "bigint" },
      ],
      tables: ["departments", "hired_employees"],
      order: [
        { column: "department", descending: false },
        { column: "hired", descending: true },
      ],
      sql: expect.stringMatching(
        /^select department.* = cast\(\$1 as integer\) and name = cast\(\$2 as text\)/,
      ) as unknown,
      bindings: ["year", "name", "since", "until", "least"],
      limited: false,
      file: "insights/HIRES.sql",
    });
    expect(insight.sql).toContain("(cast($4 as date) is null or at < cast($4 as date))");
    expect(insight.sql).toContain("cast($5 as decimal(10, 2))");
    expect(insight.sql).not.toContain(";");
  });

  it("may begin with a byte order mark and end its lines as Windows does", () => {
    expect(parse(`\uFEFF${full.replaceAll("\n", "\r\n")}`)).toEqual(parse(full));
  });

  const about = "-- About.\n-- column a integer\n";
  it.each([
    ["select 1 as a limit 3", true],
    ["select 1 as a offset 1", true],
    ["select a from (select 1 as a limit 3) as x", false],
    ['select 1 as a, 2 as "limit" -- limit 3', false],
  ])("knows whether %s is limited", (sql, limited) => {
    expect(parse(`${about}${sql}`).limited).toBe(limited);
  });

  const cases: readonly (readonly [string, string, RegExp, number?])[] = [
    ["is empty", "", /no SQL/],
    ["is not described", "-- column a integer\nselect 1 as a", /not described/, 1],
    ["holds comments alone", `${about}\n`, /no SQL/],
    ["declares no column", "-- About.\nselect 1 as a", /no column/],
    ["holds two statements", `${about}select 1 as a;\n;select 2`, /several statements/, 4],
    ["hides a second statement behind a comment", `${about}select 1 as a; /* x */ drop table t`, /several/, 3],
    ["changes something", `${about}delete from t`, /begins with DELETE/, 3],
    ["names an unknown parameter", `${about}select\n :year as a`, /:year is not declared/, 4],
    ["has a parameter in quotes alone", `-- parameter b text\n${about}select ':b' as a`, /not use the parameter b/, 1],
    ["uses numbered parameters", `${about}select $1 as a`, /\$ opens nothing/, 3],
    ["leaves a text open", `${about}select 1 as a,\n'it`, /quote is never closed/, 4],
    ["leaves a name open", `${about}select "a`, /quote is never closed/, 3],
    ["leaves a comment open", `${about}select 1 /* /* */ as a`, /comment is never closed/, 3],
    ["leaves a dollar quote open", `${about}select $x$ $y$`, /\$ opens nothing/, 3],
    ["closes brackets of the query around it", `${about}select 1) as x, (select 2`, /never opened/, 3],
    ["leaves a bracket open", `${about}select (1 as a`, /bracket is never closed/],
    ["holds NUL", `${about}select '\0' as a`, /NUL/],
    ["misspells a declaration", `${about}-- column b\nselect 1 as a`, /"column b" declares nothing/, 3],
    ["describes with a declaring word", `-- table of hires\n${about}select 1 as a`, /declares nothing/, 1],
    ["has an unknown type", `-- parameter b int\n${about}select :b as a`, /no type int/, 1],
    [
      "has digits on a type without",
      "-- About.\n-- column a integer(3, 1)\nselect 1 as a",
      /no type integer\(3, 1\)/,
      2,
    ],
    ["has more digits than there are", "-- About.\n-- column a decimal(39, 1)\nselect 1 as a", /no type decimal/, 2],
    ["has a default of another type", `-- parameter b integer = x\n${about}select :b as a`, /"x" is not a whole/, 1],
    ["declares a parameter twice", `-- parameter b text\n-- parameter B text\n${about}select :b as a`, /twice/, 2],
    ["declares a column twice", `${about}-- column A text\nselect 1 as a`, /twice/, 3],
    ["takes a name that callers need", `-- parameter limit text\n${about}select :limit as a`, /limit cannot be/, 1],
    ["reads what Millrace keeps", `${about}-- table millrace_ledger\nselect 1 as a`, /kept by Millrace/, 3],
    ["is ordered by another column", `${about}-- order by b\nselect 1 as a`, /none of its columns/, 3],
    ["is ordered by json", "-- About.\n-- column a json\n-- order by a\nselect 1 as a", /which is json/, 3],
    [
      "declares too much",
      `${"-- About.\n"}${Array.from({ length: limit.insightDeclarations + 1 }, (_, n) => `-- column c${n} text\n`).join("")}select 1`,
      /too much/,
      limit.insightDeclarations + 2,
    ],
  ];
  for (const [what, text, message, line] of cases) {
    it(`that ${what} is refused`, () => {
      const mistake = mistakeOf(text);
      expect(mistake.message).toMatch(message);
      if (line !== undefined) expect(mistake.line).toBe(line);
    });
  }

  it.each(["", "1st", "a-b", "a b", "../a", "ä", "a".repeat(64)])("called %j is refused", (name) => {
    expect(mistakeOf(full, name).message).toMatch(/cannot be its name/);
  });
});

const types = new Map([
  ["a", "integer"],
  ["b_1", "text"],
]);

/** SQL in which nothing is a parameter, and which may stand beside anything. */
const inert = fc.constantFrom(
  " x ",
  " x::a ",
  " ':a' ",
  " 'it''s :a' ",
  ' ":a "" :b_1" ',
  " -- :a ' $$ /*\n",
  " /* :a -- */ ",
  " /* /* :a */ ' */ ",
  " $$ :a ' $$ ",
  " $t$ $$ :a $u$ $t$ ",
  " E'\\' :a' ",
  " te':a' ",
  " x : a ",
  " x:=3 ",
  " (1, :: a) ",
  " ä1$x ",
  " 1.5e3 ",
);
const parameter = fc.constantFrom("a", "b_1");

describe("parameters in SQL", () => {
  it("are found wherever they stand, and nothing else is taken for one", () => {
    const piece = fc.oneof(
      inert.map((sql) => ({ sql })),
      parameter.map((name) => ({ name })),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const names = [...new Set(pieces.flatMap((one) => ("name" in one ? [one.name] : [])))];
        const given = pieces.map((one) => ("name" in one ? `:${one.name}` : one.sql)).join("");
        const wanted = pieces.map((one) =>
          "name" in one ? `cast($${names.indexOf(one.name) + 1} as ${types.get(one.name)})` : one.sql,
        );
        expect(bindParameters(`select ${given}`, types)).toEqual({
          sql: `select ${wanted.join("")}`.trimEnd(),
          bindings: names,
          limited: false,
        });
      }),
      { numRuns: 500 },
    );
  });

  it("come to an end whatever the text is, and leave it as it was without any", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        try {
          const { sql } = bindParameters(`select ${text}`, new Map());
          expect(`select ${text}`.startsWith(sql)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(SqlMistake);
        }
      }),
    );
  });
});

describe("values of parameters", () => {
  const taken: readonly (readonly [ColumnType, string, string])[] = [
    ["integer", "2021", "2021"],
    ["integer", "+007", "7"],
    ["integer", "-2147483648", "-2147483648"],
    ["bigint", "9223372036854775807", "9223372036854775807"],
    ["double", "1e300", "1e+300"],
    ["double", ".5", "0.5"],
    ["decimal", "-001.500", "-1.5"],
    ["decimal", "-0.000", "0"],
    ["decimal", "999999999999999.999", "999999999999999.999"],
    ["boolean", "Yes", "true"],
    ["text", "'; drop table t; --", "'; drop table t; --"],
    ["text", "", ""],
    ["date", "2024-02-29", "2024-02-29"],
    ["timestamp", "2021-11-07 02:48:42.5Z", "2021-11-07T02:48:42.5"],
    ["timestamp", "2021-11-07", "2021-11-07T00:00:00"],
    ["timestamp", "2021-11-07T23:59", "2021-11-07T23:59:00"],
    ["uuid", "6F9619FF-8B86-4011-B42D-00C04FC964FF", "6f9619ff-8b86-4011-b42d-00c04fc964ff"],
    ["json", '{"a": 1}', '{"a": 1}'],
  ];
  it.each(taken)("%s takes %s", (type, text, value) => {
    expect(parameterText({ type }, text)).toBe(value);
    expect(parameterText({ type }, value)).toBe(value);
  });

  const refused: readonly (readonly [ColumnType, string])[] = [
    ...["", "1.5", "1e3", "0x10", "1_000", " 1", "2147483648", "-2147483649", "1; drop table t"].map(
      (text) => ["integer", text] as const,
    ),
    ["bigint", "9223372036854775808"],
    ["bigint", "9".repeat(41)],
    ...["", ".", "1,5", "NaN", "Infinity", "1e999", "0x1"].map((text) => ["double", text] as const),
    ...["", ".", "-", "1e3", "1.0001", "1000000000000000"].map((text) => ["decimal", text] as const),
    ["boolean", "maybe"],
    ["boolean", "constructor"],
    ["text", "a\0b"],
    ["text", "\ud800"],
    ...["2021-02-29", "2021-13-01", "2021-00-10", "0000-01-01", "21-01-01", "today"].map(
      (text) => ["date", text] as const,
    ),
    ...["2021-11-07T24:00:00", "2021-11-07T02:60", "2021-11-07T02:48:42+02:00", "2021-11-07Z", "now", ""].map(
      (text) => ["timestamp", text] as const,
    ),
    ["uuid", "6f9619ff8b864011b42d00c04fc964ff"],
    ["json", "{a: 1}"],
  ];
  it.each(refused)("%s refuses %j", (type, text) => {
    expect(parameterText({ type }, text)).toBeUndefined();
  });

  it("are bounded in length", () => {
    expect(parameterText({ type: "text" }, "x".repeat(limit.insightValueChars))).toBeDefined();
    expect(parameterText({ type: "text" }, "x".repeat(limit.insightValueChars + 1))).toBeUndefined();
  });

  it("keep every digit of a decimal", () => {
    const digits = fc.string({ unit: fc.constantFrom(..."0123456789".split("")), minLength: 1, maxLength: 15 });
    fc.assert(
      fc.property(digits, digits, (before, after) => {
        const text = parameterText({ type: "decimal", precision: 30, scale: 15 }, `${before}.${after}`);
        const [whole = "", fraction = ""] = (text ?? "").split(".");
        expect(whole.padStart(15, "0")).toBe(before.padStart(15, "0"));
        expect(fraction.padEnd(15, "0")).toBe(after.padEnd(15, "0"));
      }),
    );
  });
});
