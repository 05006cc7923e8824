import type { BatchWatch, CommittedBatch, Log, LogLane, Row } from "../../src/index.ts";
import type { diag } from "./tables.ts";

/** Where a vehicle was last seen. */
interface Seen {
  readonly vin: string;
  readonly model: string;
  readonly timestamp: number;
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly speed: number;
}

/** How far this process has committed a lane. */
interface ReadUpTo {
  readonly offset: bigint;
  readonly row: bigint;
}

export interface LiveFigures {
  /** Rows committed in the last full second. */
  readonly eventsPerSecond: number;
  readonly rejectsPerSecond: number;
  /** Records of each lane that are not committed yet. */
  readonly lag: Readonly<Record<string, number>>;
  /** From the event's arrival in the stream to its row in the table, of the last seconds. */
  readonly delayMs: { readonly p50: number | null; readonly p99: number | null };
  /** Vehicles seen since the figures before. */
  readonly vehicles: readonly Seen[];
}

const delaysKept = 8_192;
const vehiclesMax = 100_000;
/** Rows are looked at one by one only while somebody looks. */
const quietRowsMax = 2_000;

/** What this process commits, second by second. */
export class Live implements BatchWatch {
  readonly #now: () => number;
  readonly #stream: Pick<Log, "lanes">;
  readonly #delays = new Float64Array(delaysKept);
  #delayCount = 0;
  #events = 0;
  #rejects = 0;
  readonly #positions = new Map<string, ReadUpTo>();
  /** Where offsets have gaps: records of each lane that were appended and that this pipeline never read. */
  readonly #unread = new Map<string, bigint>();
  readonly #seen = new Map<string, Seen>();
  listeners = 0;

  constructor(stream: Pick<Log, "lanes">, now: () => number) {
    this.#stream = stream;
    this.#now = now;
  }

  async committed({ source, counts, raw, rows }: CommittedBatch): Promise<void> {
    this.#events += counts.loaded + counts.merged;
    this.#rejects += counts.rejected;
    const { offset, row } = raw.end;
    const lane = source.split("/").at(-1) ?? source;
    if (typeof offset === "string") this.#positions.set(lane, { offset: BigInt(offset), row: BigInt(row) });
    this.#takeDelays(raw.timesMs);
    if (this.listeners === 0 && rows.count > quietRowsMax) return;
    for await (const piece of rows.objects()) for (const row of piece) this.#see(row);
  }

  /** The figures since the last call. */
  async take(): Promise<LiveFigures> {
    const figures = {
      eventsPerSecond: this.#events,
      rejectsPerSecond: this.#rejects,
      lag: await this.#lag(),
      delayMs: this.#percentiles(),
      vehicles: [...this.#seen.values()],
    };
    this.#events = 0;
    this.#rejects = 0;
    this.#delayCount = 0;
    return figures;
  }

  async #lag(): Promise<Record<string, number>> {
    const lanes = await this.#stream.lanes();
    return Object.fromEntries(lanes.map((lane) => [lane.name, this.#lagOf(lane)]));
  }

  /** Where offsets have gaps records are counted too; those before the first that was read are known at the end only. */
  #lagOf({ name, start, end, appended }: LogLane): number {
    const position = this.#positions.get(name);
    const offsets = end - (position?.offset ?? start);
    if (appended === undefined) return Number(offsets);
    if (position !== undefined && offsets <= 0n) this.#unread.set(name, appended - position.row);
    const records = appended - (position?.row ?? 0n) - (this.#unread.get(name) ?? 0n);
    return Number(records < offsets ? records : offsets);
  }

  #takeDelays(times: Float64Array | undefined): void {
    const now = this.#now();
    for (const time of times ?? []) {
      this.#delays[this.#delayCount % delaysKept] = now - time;
      this.#delayCount += 1;
    }
  }

  #percentiles(): LiveFigures["delayMs"] {
    const sorted = this.#delays.slice(0, Math.min(this.#delayCount, delaysKept)).sort();
    const at = (share: number): number | null => sorted[Math.floor((sorted.length - 1) * share)] ?? null;
    return { p50: at(0.5), p99: at(0.99) };
  }

  #see(row: Readonly<Record<string, unknown>>): void {
    const seen = seenIn(row as unknown as EventRow);
    const { vin, timestamp } = seen;
    if ((this.#seen.get(vin)?.timestamp ?? 0) > timestamp) return;
    if (this.#seen.size >= vehiclesMax && !this.#seen.has(vin)) return;
    this.#seen.set(vin, seen);
  }
}

type EventRow = Row<typeof diag>;

function seenIn({ vin, model, timestamp, position_x: x, position_y: y, position_z: z, speed }: EventRow): Seen {
  return { vin, model, timestamp, x, y, z, speed };
}
