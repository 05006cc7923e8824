/** A row as the table must hold it, as text: id, name, datetime (ISO 8601 without zone), department_id, job_id. */
export type SyntheticRow = readonly [id: string, name: string, datetime: string, department: string, job: string];

/** A record that must be refused. */
export interface SyntheticReject {
  /** 1-based line on which the record starts. */
  readonly line: number;
  readonly bytes: string;
  /** `column code` of every reason, in alphabetical order; ` code` where the whole record is at fault. */
  readonly reasons: readonly string[];
}

/** A file and what is to become of each of its records. */
export interface Synthetic {
  readonly text: string;
  readonly records: number;
  readonly good: readonly SyntheticRow[];
  readonly bad: readonly SyntheticReject[];
}

export interface SyntheticOptions {
  readonly seed: number;
  readonly records: number;
  /** Ids count from here: files of one table do not share any. */
  readonly firstId?: number;
}

/** A source of chance that answers the same for the same seed: numbers from 0 up to, but not including, `below`. */
export function chance(seed: number): (below: number) => number {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  return (below) => {
    // xorshift32: enough to vary data and moments, and a failure can be had again from its seed.
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

const badPerMille = 35;
const oddNames = ['Anne "Annie" Ng', "Vogt, Harold", "Lotti\nCrowthe", 'a\r\nb,"c"', "Ünal Çelik", "名前 太郎"];
const plainNames = ["Harold Vogt", "Ty Hofer", "Lyman Hadye", "Gretna Lording", "Marcelia Vanes", "O'Neil"];

/** CSV without header in the shape of `hired_employees.csv`. */
export function synthesize({ seed, records, firstId = 1 }: SyntheticOptions): Synthetic {
  const random = chance(seed);
  const good: SyntheticRow[] = [];
  const bad: SyntheticReject[] = [];
  const texts: string[] = [];
  let line = 1;
  for (let record = 0; record < records; record += 1) {
    const row = goodRow(random, firstId + record);
    const fault = random(1000) < badPerMille ? faults[random(faults.length)] : undefined;
    const text = fault === undefined ? csvRecord(row) : fault.spoil(row);
    if (fault === undefined) good.push(row);
    else bad.push({ line, bytes: text, reasons: fault.reasons });
    texts.push(text, "\n");
    line += text.split("\n").length;
  }
  return { text: texts.join(""), records, good, bad };
}

function goodRow(random: (below: number) => number, id: number): SyntheticRow {
  const names = random(40) === 0 ? oddNames : plainNames;
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `2021-${two(1 + random(12))}-${two(1 + random(28))}`;
  const time = `${two(random(24))}:${two(random(60))}:${two(random(60))}`;
  const name = names[random(names.length)] as string;
  return [String(id), name, `${day}T${time}`, String(1 + random(12)), String(1 + random(200))];
}

interface Fault {
  readonly reasons: readonly string[];
  /** The record's text, spoilt. */
  spoil(row: SyntheticRow): string;
}

const faults: readonly Fault[] = [
  { reasons: ["department_id missing"], spoil: ([id, name, at, , job]) => csvFields([id, name, `${at}Z`, "", job]) },
  { reasons: ["job_id type"], spoil: ([id, name, at, dep, job]) => csvFields([id, name, `${at}Z`, dep, `${job}x`]) },
  {
    reasons: ["datetime type"],
    spoil: ([id, name, , dep, job]) => csvFields([id, name, "2021-02-30T00:00:00Z", dep, job]),
  },
  {
    reasons: ["datetime type", "job_id missing", "name missing"],
    spoil: ([id, , , dep]) => csvFields([id, "", "yesterday", dep, ""]),
  },
  { reasons: ["id type"], spoil: ([, name, at, dep, job]) => csvFields(["99999999999", name, `${at}Z`, dep, job]) },
  { reasons: [" columns"], spoil: ([id, name, at]) => csvFields([id, name, `${at}Z`]) },
  { reasons: [" columns"], spoil: (row) => `${csvRecord(row)},one,too many` },
];

function csvRecord([id, name, datetime, department, job]: SyntheticRow): string {
  return csvFields([id, name, `${datetime}Z`, department, job]);
}

function csvFields(fields: readonly string[]): string {
  return fields.map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(",");
}

/** The contract that the files are made for, in its JSON form. */
export function syntheticContract(table: string, key: boolean): object {
  return {
    table,
    columns: {
      id: { type: "integer", ...(key ? { key } : {}) },
      name: { type: "text" },
      datetime: { type: "timestamp", format: "%Y-%m-%dT%H:%M:%SZ" },
      department_id: { type: "integer" },
      job_id: { type: "integer" },
    },
  };
}
