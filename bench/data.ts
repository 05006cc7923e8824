import { once } from "node:events";
import { createWriteStream, existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * `clean`: every record is good. `dirty`: 3.3 % of the records lack one field. `duplicate` and `refused` are `dirty` with
 * one record in 10 000 that only the database refuses: it repeats an earlier id, or breaks a check of the table.
 */
export type DataKind = "clean" | "dirty" | "duplicate" | "refused";

export interface Data {
  readonly path: string;
  readonly records: number;
  /** Records that meet the contract, `refused` ones included. */
  readonly good: number;
  /** Records that only the database refuses. */
  readonly refused: number;
  readonly sizeBytes: number;
}

/** What the table's check allows; the contract knows nothing of it. */
export const departmentsMax = 1000;

const badShare = 0.033;
const refusedEvery = 10_000;
const pieceChars = 1024 * 1024;
const seed = 20_211_107;
/** Changed whenever the files would come out differently. */
const edition = 1;

export const dataFolder = join(tmpdir(), "millrace-bench");

/** A file of `rows` records (for `clean`, of the good ones among them), made once and kept for later runs. */
export async function dataFile(kind: DataKind, rows: number): Promise<Data> {
  await mkdir(dataFolder, { recursive: true });
  const path = join(dataFolder, `hired-${kind}-${rows}-v${edition}.csv`);
  const factsPath = `${path}.json`;
  if (existsSync(factsPath) && existsSync(path)) return JSON.parse(readFileSync(factsPath, "utf8")) as Data;
  const data = await write(kind, rows, path);
  await writeFile(factsPath, JSON.stringify(data));
  return data;
}

export function deleteData({ path }: Data): void {
  rmSync(path, { force: true });
  rmSync(`${path}.json`, { force: true });
}

async function write(kind: DataKind, rows: number, path: string): Promise<Data> {
  const fresh = `${path}.new-${process.pid}`;
  const stream = createWriteStream(fresh);
  const made = new Records(kind);
  let piece = "";
  let sizeBytes = 0;
  try {
    for (let id = 1; id <= rows; id += 1) {
      piece += made.next(id);
      if (piece.length < pieceChars && id < rows) continue;
      sizeBytes += piece.length;
      if (!stream.write(piece, "latin1")) await once(stream, "drain");
      piece = "";
    }
    stream.end();
    await once(stream, "finish");
    renameSync(fresh, path);
  } finally {
    stream.destroy();
    rmSync(fresh, { force: true });
  }
  return { path, records: made.records, good: made.good, refused: made.refused, sizeBytes };
}

const firstNames = ["Harold", "Ty", "Lyman", "Lotti", "Gretna", "Marcelo", "Corinne", "Philippa", "Jo", "Evangeline"];
const lastNames = ["Vogt", "Hofer", "May", "Crowthe", "Lording", "Escobar", "O Hara", "Kepper", "Bell", "Villanueva"];

/** The same records for the same seed, whatever the kind: the kinds differ in the lines that they add or leave out. */
class Records {
  records = 0;
  good = 0;
  refused = 0;
  readonly #kind: DataKind;
  #state = seed;
  /** The first good id since the last refusal; 0 when there was none yet. */
  #earlier = 0;
  #due = false;

  constructor(kind: DataKind) {
    this.#kind = kind;
  }

  /** The lines of record `id`, each with its line end. */
  next(id: number): string {
    const fields = [String(id), this.#name(), this.#time(), String(1 + this.#below(12)), String(1 + this.#below(183))];
    const isBad = this.#random() < badShare;
    const missing = this.#below(fields.length);
    if (!isBad) return this.#keep(fields) + this.#refusal(id, fields);
    fields[missing] = "";
    return this.#kind === "clean" ? "" : this.#count(false, fields);
  }

  /** A good record that the database refuses: it repeats the key of one some thousand records before, or breaks the check. */
  #refusal(id: number, fields: readonly string[]): string {
    if (this.#earlier === 0) this.#earlier = id;
    this.#due ||= id % refusedEvery === 0;
    if (!this.#due || this.#kind === "clean" || this.#kind === "dirty") return "";
    const other =
      this.#kind === "duplicate" ? [String(this.#earlier), ...fields.slice(1)] : [String(-id), ...fields.slice(1)];
    if (this.#kind === "refused") other[3] = String(departmentsMax + 1);
    this.#due = false;
    this.#earlier = 0;
    this.refused += 1;
    return this.#keep(other);
  }

  #keep(fields: readonly string[]): string {
    return this.#count(true, fields);
  }

  #count(isGood: boolean, fields: readonly string[]): string {
    this.records += 1;
    if (isGood) this.good += 1;
    return `${fields.join(",")}\n`;
  }

  #name(): string {
    return `${firstNames[this.#below(firstNames.length)]} ${lastNames[this.#below(lastNames.length)]}`;
  }

  #time(): string {
    const two = (value: number): string => String(value).padStart(2, "0");
    const day = `2021-${two(1 + this.#below(12))}-${two(1 + this.#below(28))}`;
    return `${day}T${two(this.#below(24))}:${two(this.#below(60))}:${two(this.#below(60))}Z`;
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  /** Mulberry32. */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
}
