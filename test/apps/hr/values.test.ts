import { beforeAll, describe, expect, it } from "vitest";
import {
  type HiredColumn,
  type HiredFields,
  hiredColumns,
  hiredFields,
  hiredLine,
  selectHired,
  storedOf,
} from "./hired.ts";
import { describeOnPlaces } from "./places.ts";
import type { UploadAnswer } from "./reply.ts";
import type { HrService } from "./service.ts";

/** A record that is refused: what is wrong with it, and its line when that is not its values and commas. */
interface BadCase {
  readonly title: string;
  /** The columns at fault; none when the whole record is. */
  readonly columns: readonly HiredColumn[];
  readonly values: (id: number) => readonly string[];
  readonly line?: (id: number) => string;
}

interface GoodCase {
  readonly title: string;
  readonly changes: Partial<HiredFields>;
  /** How the field stands in the file, when it is not its value alone. */
  readonly written?: string;
}

function valuesWith(id: number, changes: Partial<HiredFields>): string[] {
  const fields = { ...hiredFields(id), ...changes };
  return hiredColumns.map((column) => fields[column]);
}

function withComma(id: number): string[] {
  const [first = "", , ...rest] = valuesWith(id, {});
  return [first, "Vogt", " Harold", ...rest];
}

function bad(column: HiredColumn, value: string): BadCase {
  const values = (id: number): string[] => valuesWith(id, { [column]: value });
  return { title: `${column} ${JSON.stringify(value)}`, columns: [column], values };
}

const notIntegers = [
  ...["", " 5", "5 ", "5.0", "0x10", "+5", "-5", "1e3", "1_000", "five", "NA", "Null", "true", "５"],
  ...["2147483648", "99999999999999999999", "5-", "--5", "\t5"],
];

const notTimestamps = [
  ...["", "2021-11-07T24:00:00Z", "2021-02-30T10:00:00Z", "2021-02-29T10:00:00Z", "2021-11-07T02:48:42"],
  ...["2021-11-07 02:48:42Z", "2021-11-07t02:48:42z", "2021-11-07T02:48:42.5Z", "2021-11-07T02:48:42+00:00"],
  ...["2021-11-07T02:48Z", "2021-11-07", "2021-1-7T02:48:42Z", "2021-11-07T2:48:42Z", " 2021-11-07T02:48:42Z"],
  ...["2021-11-07T02:48:42Z ", "2021-11-07T02:48:60Z", "2021-11-07T02:60:42Z", "2021-13-07T02:48:42Z"],
  ...["2021-00-07T02:48:42Z", "2021-11-00T02:48:42Z", "2021-11-31T02:48:42Z", "21-11-07T02:48:42Z"],
  ...["12021-11-07T02:48:42Z", "20211107T024842Z", "07/11/2021", "now", "NA", "1636253322", "2021-11-07T02:48:42ZZ"],
  ...["-2021-11-07T02:48:42Z", "2021-11-07T02:48:42Z\t", "2021-11-07T25:00:00Z", "1900-02-29T00:00:00Z"],
];

const misshapen: readonly BadCase[] = [
  { title: "a missing column", columns: [], values: (id) => valuesWith(id, {}).slice(0, 4) },
  { title: "four missing columns", columns: [], values: (id) => [String(id)] },
  { title: "a surplus column", columns: [], values: (id) => [...valuesWith(id, {}), "more"] },
  { title: "an empty surplus column", columns: [], values: (id) => [...valuesWith(id, {}), ""] },
  { title: "two surplus columns", columns: [], values: (id) => [...valuesWith(id, {}), "more", "and more"] },
  { title: "a name with a comma that is not quoted", columns: [], values: withComma },
  { title: "a semicolon for a comma", columns: [], values: (id) => [valuesWith(id, {}).join(";")] },
  {
    title: "a quoted empty integer",
    columns: ["job_id"],
    values: (id) => valuesWith(id, { job_id: "" }),
    line: (id) => hiredLine(id, { job_id: '""' }),
  },
  {
    title: "a quoted empty timestamp",
    columns: ["datetime"],
    values: (id) => valuesWith(id, { datetime: "" }),
    line: (id) => hiredLine(id, { datetime: '""' }),
  },
  {
    title: "three faults at once",
    columns: ["name", "datetime", "job_id"],
    values: (id) => valuesWith(id, { name: "", datetime: "soon", job_id: "x" }),
  },
];

const badCases: readonly BadCase[] = [
  ...notIntegers.map((value) => bad("department_id", value)),
  ...["", "n/a", "2147483648"].map((value) => bad("job_id", value)),
  ...["", "-1", "x1", "1.0", "2147483648"].map((value) => bad("id", value)),
  bad("name", ""),
  ...notTimestamps.map((value) => bad("datetime", value)),
  ...misshapen,
];

function named(name: string, written?: string): GoodCase {
  return {
    title: `name ${JSON.stringify(name.slice(0, 40))}`,
    changes: { name },
    ...(written === undefined ? {} : { written }),
  };
}

const goodCases: readonly GoodCase[] = [
  ...["NA", "Null", "NULL", "null", "N/A", "nan", "None", "-", "0", "true", " ", "  blanks around  ", "\\N", "\\."],
  ...["a\\b", "\\", "'", "O'Brien", "tab\there", "名前", "Zoë 🚀", "=1+1", "{}", "$1", "%s", "'); drop table jobs; --"],
  ...['5" disk', "x".repeat(5000)],
]
  .map((name) => named(name))
  .concat([
    { title: "a quoted empty name", changes: { name: "" }, written: '""' },
    named("Vogt, Harold", '"Vogt, Harold"'),
    named('Joan "Jo" Rillett', '"Joan ""Jo"" Rillett"'),
    named("plain", '"plain"'),
    named("two\nlines", '"two\nlines"'),
    ...["2020-02-29T00:00:00Z", "2000-02-29T23:59:59Z", "1969-12-31T23:59:59Z", "2021-12-31T23:59:59Z"].map(
      (datetime): GoodCase => ({ title: `datetime ${datetime}`, changes: { datetime } }),
    ),
    { title: "datetime 9999-12-31T23:59:59Z", changes: { datetime: "9999-12-31T23:59:59Z" } },
    ...["2147483647", "0", "007", "000000000000000012"].map(
      (department_id): GoodCase => ({ title: `department_id ${department_id}`, changes: { department_id } }),
    ),
  ]);

function goodLine(id: number, { changes, written }: GoodCase): string {
  return hiredLine(id, written === undefined ? changes : { ...changes, name: written });
}

/** How the answer gives a failed record back. */
function givenBack(values: readonly string[]): Record<string, string> {
  const width = Math.max(values.length, hiredColumns.length);
  const names = Array.from({ length: width }, (_, index) => hiredColumns[index] ?? `column${index + 1}`);
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""]));
}

function upload(hr: HrService, content: string | Uint8Array): Promise<UploadAnswer> {
  return hr.uploaded({ name: "hired_employees.csv", content });
}

function breaking(hr: () => HrService): void {
  const idOf = (index: number): number => 1_000 + 2 * index;
  let answer: UploadAnswer;
  beforeAll(async () => {
    // A good record behind each bad one.
    const lines = badCases.flatMap(({ values, line }, index) => {
      const id = idOf(index);
      return [line?.(id) ?? values(id).join(","), hiredLine(id + 1)];
    });
    answer = await upload(hr(), `${lines.join("\n")}\n`);
  });

  it("hides none of the good ones around it", async () => {
    const { rows, nrows_inserted, nrows_failed } = answer;
    expect({ rows, nrows_inserted, nrows_failed }).toEqual({
      ...{ rows: 2 * badCases.length, nrows_inserted: badCases.length, nrows_failed: badCases.length },
    });
    const stored = await hr().query("select id from hired_employees where id < 5000 order by id");
    expect(stored.map(({ id }) => id)).toEqual(badCases.map((_, index) => idOf(index) + 1));
  });

  it("is given back, in the order of the file", () => {
    const expected = badCases.map(({ values }, index) => givenBack(values(idOf(index))));
    expect(answer.rows_failed).toEqual(expected);
    expect(answer.rows_failed?.map((row) => Object.keys(row))).toEqual(expected.map((row) => Object.keys(row)));
  });

  it.each(badCases.map((one, index) => ({ ...one, index })))("is told: $title", ({ index, columns, values }) => {
    const found = answer.errors?.filter(({ line }) => line === 2 * index + 1) ?? [];
    expect(found.length).toBeGreaterThan(0);
    for (const { column, value, reason } of found) {
      expect(reason).toMatch(/\w{2}/);
      if (columns.length === 0) continue;
      expect(columns).toContain(column);
      const inFile = values(idOf(index))[hiredColumns.indexOf(column as HiredColumn)];
      expect(value ?? "").toBe(inFile);
    }
  });

  it("is told with line, column, value and reason each", () => {
    for (const error of answer.errors ?? []) {
      expect(Object.keys(error)).toEqual(expect.arrayContaining(["line", "column", "value", "reason"]));
    }
  });
}

function keeping(hr: () => HrService): void {
  const idOf = (index: number): number => 5_000 + index;
  let answer: UploadAnswer;
  let stored: Readonly<Record<string, unknown>>[];
  beforeAll(async () => {
    const lines = goodCases.map((one, index) => goodLine(idOf(index), one));
    answer = await upload(hr(), `${lines.join("\n")}\n`);
    stored = await hr().query(`${selectHired} where id >= 5000 order by hired_employees.id`);
  });

  it("is taken", () => {
    expect(answer).toMatchObject({ rows: goodCases.length, nrows_inserted: goodCases.length });
    expect(answer).not.toHaveProperty("rows_failed");
  });

  it.each(goodCases.map((one, index) => ({ ...one, index })))("is kept as it is: $title", ({ index, changes }) => {
    const row = stored.find(({ id }) => id === String(idOf(index)));
    expect(row).toEqual(storedOf({ ...hiredFields(idOf(index)), ...changes }));
  });
}

function unreadable(hr: () => HrService): void {
  const good = (id: number): Buffer => Buffer.from(`${hiredLine(id)}\n`);

  it.each([
    { title: "invalid UTF-8", bytes: [0xff, 0xfe, 0x41] },
    { title: "UTF-8 that is cut off", bytes: [0x41, 0xc3] },
    { title: "an overlong form", bytes: [0xc0, 0xaf] },
    { title: "half of a surrogate pair", bytes: [0xed, 0xa0, 0x80] },
    { title: "Latin-1", bytes: [0x4a, 0x6f, 0x73, 0xe9] },
    { title: "a NUL", bytes: [0x41, 0x00, 0x42] },
  ])("fails alone: $title", async ({ bytes }) => {
    const [before = "", after = ""] = hiredLine(2, { name: "|" }).split("|");
    const line = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(`${after}\n`)]);
    const answer = await upload(hr(), Buffer.concat([good(1), line, good(3)]));
    expect(answer).toMatchObject({ rows: 3, nrows_failed: 1 });
    const { name: _, ...others } = hiredFields(2);
    expect(answer.rows_failed).toMatchObject([others]);
    expect(answer.errors).toMatchObject([{ line: 2, reason: expect.stringMatching(/\w/) }]);
    expect(await hr().count("hired_employees", "id = 2")).toBe(0);
  });

  it.each([
    { title: "that never closes", name: '"Ann' },
    { title: "with text behind it", name: '"Ann" Lee' },
  ])("takes no more than its line: a quote $title", async ({ name }) => {
    const content = Buffer.concat([good(4), Buffer.from(`${hiredLine(5, { name })}\n`), good(6), good(7)]);
    const answer = await upload(hr(), content);
    expect(answer).toMatchObject({ rows: 4, nrows_failed: 1 });
    expect(answer.errors).toMatchObject([{ line: 2 }]);
    expect(await hr().count("hired_employees", "id in (4, 6, 7)")).toBe(3);
  });

  it("fails like others where it is a header", async () => {
    const answer = await upload(hr(), `${hiredColumns.join(",")}\n${hiredLine(8)}\n`);
    expect(answer).toMatchObject({ rows: 2, nrows_inserted: 1, nrows_failed: 1 });
    expect(answer.rows_failed?.[0]?.["name"]).toBe("name");
  });

  it.each([
    { title: "UTF-16", content: Buffer.from(`\uFEFF${hiredLine(9)}\n${hiredLine(10)}\n`, "utf16le") },
    { title: "JSON", content: `[{"id": 9,\n"name": "Ann"}]\n` },
    { title: "semicolons alone", content: `${hiredLine(9)}\n${hiredLine(10)}\n`.replaceAll(",", ";") },
    { title: "tabs alone", content: `${hiredLine(9)}\n${hiredLine(10)}\n`.replaceAll(",", "\t") },
    { title: "Parquet", content: Buffer.concat([Buffer.from("PAR1"), Buffer.alloc(90, 7), Buffer.from("PAR1")]) },
  ])("is not guessed to be something else: $title", async ({ content }) => {
    const answer = await upload(hr(), content);
    expect(answer.nrows_inserted).toBe(0);
    expect(answer.nrows_failed).toBe(answer.rows);
    expect(answer.rows).toBeGreaterThan(0);
    expect(await hr().count("hired_employees", "id in (9, 10)")).toBe(0);
  });
}

describeOnPlaces("an uploaded record", (hr) => {
  describe("that breaks the contract", () => {
    breaking(hr);
  });
  describe("that keeps the contract", () => {
    keeping(hr);
  });
  describe("that is no text", () => {
    unreadable(hr);
  });
});
