import { employeesCsv } from "../../scripts/sample-data.ts";

export const uploadRows = 1000;
export const uploadBad = 33;

/** A user of every contestant. */
export const uploader = { name: "bench", password: "bench counts 1000 lines" } as const;

/** The id of an upload's first record is this times 1000: of one width for all uploads, so that a body is only patched. */
const firstThousand = 100_000;
const lastThousand = 999_999;
const boundary = "----millracebench7MA4YWxkTrZu0gW";

/** What the good records of one upload add up to in the table. */
export interface UploadSums {
  readonly rows: number;
  readonly departments: number;
  readonly jobs: number;
  readonly nameChars: number;
  /** Of the times: seconds since 1970. */
  readonly seconds: number;
}

/** The form of an upload, with credentials in its fields; `body(n)` has other ids for each n. */
export class UploadForm {
  readonly contentType = `multipart/form-data; boundary=${boundary}`;
  readonly sums: UploadSums;
  /** Ids in upload 0 of the records that are refused, in their order. */
  readonly badIds: readonly string[];
  readonly #template: Buffer;
  /** Where the thousands of each record's id stand. */
  readonly #places: readonly number[];

  constructor() {
    const lines = employeesCsv({ rows: uploadRows, bad: uploadBad }).trimEnd().split("\n").map(withWideId);
    const records = lines.map((line) => line.split(","));
    this.sums = sumsOf(records.filter((fields) => !isBad(fields)));
    this.badIds = records.filter(isBad).map(([id = ""]) => id);
    const head = Buffer.from(
      `${fieldPart("username", uploader.name)}${fieldPart("password", uploader.password)}${fileHead}`,
    );
    this.#places = placesOf(lines, head.length);
    this.#template = Buffer.concat([head, Buffer.from(`${lines.join("\n")}\n\r\n--${boundary}--\r\n`)]);
  }

  body(upload: number): Buffer {
    const body = Buffer.from(this.#template);
    const thousands = this.#thousands(upload);
    for (const place of this.#places) body.write(thousands, place, "latin1");
    return body;
  }

  /** The refused records' ids in that upload. */
  badIdsOf(upload: number): string[] {
    const thousands = this.#thousands(upload);
    return this.badIds.map((id) => `${thousands}${id.slice(thousands.length)}`);
  }

  #thousands(upload: number): string {
    if (firstThousand + upload > lastThousand) throw new RangeError(`upload ${upload} has no ids left`);
    return String(firstThousand + upload);
  }
}

const fileHead = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="hired_employees.csv"\r\nContent-Type: text/csv\r\n\r\n`;

function fieldPart(name: string, value: string): string {
  return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
}

function withWideId(line: string): string {
  return line.replace(/^\d+/, (id) => String(firstThousand * uploadRows + Number(id) - 1));
}

function placesOf(lines: readonly string[], start: number): number[] {
  let place = start;
  return lines.map((line) => {
    const here = place;
    place += Buffer.byteLength(line) + 1;
    return here;
  });
}

/** The sample's mistakes: a missing value, a text for a number, and a day that no calendar has. */
function isBad(fields: readonly string[]): boolean {
  return fields.some((field) => field === "" || field === "n/a" || field.startsWith("2021-02-30"));
}

function sumsOf(records: readonly (readonly string[])[]): UploadSums {
  const sum = (of: (fields: readonly string[]) => number): number =>
    records.reduce((total, fields) => total + of(fields), 0);
  return {
    rows: records.length,
    nameChars: sum(([, name = ""]) => name.length),
    seconds: sum(([, , time = ""]) => Date.parse(time) / 1000),
    departments: sum((fields) => Number(fields[3])),
    jobs: sum((fields) => Number(fields[4])),
  };
}
