import { type Contract, MillraceError, type ReplicaEntry, Spool, table as tableOf } from "../../src/index.ts";
import { cellsOf, csvField } from "./entry.ts";
import { type Cell, columnOf, Evidence, keyKind, type Kind } from "./typing.ts";

/** The rows of a replica, gathered: what they are, as CSV in parts, and as they were read, to be cleared when they are in. */
export interface Gathered extends AsyncDisposable {
  readonly rows: number;
  readonly columns: readonly GatheredColumn[];
  readonly parts: readonly Part[];
  /** The first rows, by column. */
  readonly first: readonly Readonly<Record<string, unknown>>[];
  entries(): AsyncGenerator<readonly ReplicaEntry[], void>;
}

export interface GatheredColumn {
  readonly name: string;
  readonly isKey: boolean;
  readonly kind: Kind;
}

export interface Part {
  readonly rows: number;
  readonly csv: Spool;
}

export interface GatheringPlan {
  readonly replica: string;
  /** As the replica calls them, the key among them. */
  readonly columns: readonly string[];
  /** The key's name; found out when empty. */
  readonly key: string;
  readonly partitions: number;
  /** For what does not fit in memory. */
  readonly folder: string;
}

const rowsShown = 3;

/** Reads all entries once, and looks at all values for the types of the columns. */
export async function gather(plan: GatheringPlan, entries: AsyncIterable<readonly ReplicaEntry[]>): Promise<Gathered> {
  const gathering = new Gathering(plan);
  try {
    for await (const piece of entries) await gathering.add(piece);
    return gathering.done();
  } catch (error) {
    await gathering.dispose();
    throw error;
  }
}

class Gathering {
  readonly #plan: GatheringPlan;
  readonly #entries: Spool;
  readonly #parts: { rows: number; readonly csv: Spool }[];
  readonly #first: (readonly Cell[])[] = [];
  #names: readonly string[] | undefined;
  #evidence: readonly Evidence[] = [];
  #keyAt = 0;
  #pieces = 0;
  #rows = 0;

  constructor(plan: GatheringPlan) {
    this.#plan = plan;
    this.#entries = new Spool(plan.folder);
    this.#parts = Array.from({ length: plan.partitions }, () => ({ rows: 0, csv: new Spool(plan.folder) }));
  }

  /** Pieces go to the parts in turn. */
  async add(piece: readonly ReplicaEntry[]): Promise<void> {
    const part = this.#parts[this.#pieces % this.#parts.length];
    if (part === undefined || piece.length === 0) return;
    this.#pieces += 1;
    let csv = "";
    let lines = "";
    for (const entry of piece) {
      csv += `${this.#csvOf(entry)}\n`;
      lines += `${JSON.stringify([entry.key, entry.value])}\n`;
    }
    part.rows += piece.length;
    this.#rows += piece.length;
    await part.csv.write(Buffer.from(csv));
    await this.#entries.write(Buffer.from(lines));
  }

  #csvOf(entry: ReplicaEntry): string {
    const { replica } = this.#plan;
    const others = cellsOf(entry, replica);
    const names = (this.#names ??= this.#namesFor(others.length));
    if (others.length !== names.length - 1) throw uneven(replica, entry, others.length, names.length - 1);
    const cells: readonly Cell[] = [...others.slice(0, this.#keyAt), entry.key, ...others.slice(this.#keyAt)];
    if (this.#first.length < rowsShown) this.#first.push(cells);
    for (const [index, cell] of cells.entries()) this.#evidence[index]?.see(cell);
    return cells.map(csvField).join(",");
  }

  /** The key is one of the columns, or stands beside them where it was made of rows' numbers. */
  #namesFor(others: number): readonly string[] {
    const { columns, key, replica } = this.#plan;
    const names = columns.length === 0 ? Array.from({ length: others }, (_, index) => `column${index + 1}`) : columns;
    const isBeside = names.length === others;
    if (!isBeside && names.length !== others + 1) throw uneven(replica, undefined, others, names.length - 1);
    const wanted = key === "" ? "id" : key;
    const found = names.findIndex((name) => name.toLowerCase() === wanted.toLowerCase());
    this.#keyAt = isBeside ? 0 : Math.max(0, found);
    const all = isBeside ? [keyName(names), ...names] : names;
    this.#evidence = all.map(() => new Evidence());
    return all;
  }

  done(): Gathered {
    const names = this.#names ?? [];
    const columns = names.map((name, index) => {
      const isKey = index === this.#keyAt;
      const kind = this.#evidence[index]?.kind ?? "text";
      return { name, isKey, kind: isKey ? keyKind(kind) : kind };
    });
    const entries = this.#entries;
    return {
      ...{ rows: this.#rows, columns, parts: this.#parts.filter(({ rows }) => rows > 0) },
      first: this.#first.map((cells) => Object.fromEntries(names.map((name, index) => [name, cells[index]]))),
      entries: () => readEntries(entries),
      [Symbol.asyncDispose]: () => this.dispose(),
    };
  }

  async dispose(): Promise<void> {
    await this.#entries.dispose();
    for (const { csv } of this.#parts) await csv.dispose();
  }
}

function keyName(names: readonly string[]): string {
  const taken = new Set(names.map((name) => name.toLowerCase()));
  return ["key", "row_key", "replica_key"].find((name) => !taken.has(name)) ?? "millrace_replica_key";
}

async function* readEntries(spool: Spool): AsyncGenerator<readonly ReplicaEntry[], void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of spool.bytes()) {
    const lines = `${rest}${decoder.decode(bytes, { stream: true })}`.split("\n");
    rest = lines.pop() ?? "";
    if (lines.length > 0) yield lines.map(entryOf);
  }
}

function entryOf(line: string): ReplicaEntry {
  const [key, value] = JSON.parse(line) as [string, string];
  return { key, value };
}

/** The table of these columns. Throws CONTRACT_INVALID for names that cannot be. */
export function contractOf(name: string, columns: readonly GatheredColumn[]): Contract {
  // A value that is missing now and then says nothing of those to come.
  const builders = columns.map(({ name: column, isKey, kind }) => {
    return [column, isKey ? columnOf(kind).key() : columnOf(kind).nullable()] as const;
  });
  return tableOf(name, Object.fromEntries(builders));
}

function uneven(replica: string, entry: ReplicaEntry | undefined, found: number, wanted: number): MillraceError {
  const where = entry === undefined ? "" : ` under ${JSON.stringify(entry.key.slice(0, 60))}`;
  return new MillraceError(
    "COLUMNS_MISMATCH",
    `The replica ${replica} holds ${found} values${where} where ${wanted} are due`,
    {
      remedy: "Load the replica again.",
      at: { source: replica },
    },
  );
}
