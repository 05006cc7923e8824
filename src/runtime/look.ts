import type { Checkpoint } from "../core/checkpoint.ts";
import { toMillraceError, type MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";
import { parsePlace } from "../core/place.ts";
import type { Log, LogLane } from "../ports/log.ts";
import type { KnownPipeline } from "./catalogue.ts";
import type { FiguredBatch } from "./figures.ts";
import { isLog } from "./schemes.ts";

/** What the places say of a pipeline. */
export interface Kept {
  readonly last: FiguredBatch | undefined;
  readonly openRejects: number;
  /** Records of its log that are not committed yet; undefined where it reads none, or where that is not known. */
  readonly lagRecords: number | undefined;
  /** Why its place, or its log, could not be asked. */
  readonly error: MillraceError | undefined;
}

export const nothingKept: Kept = { last: undefined, openRejects: 0, lagRecords: undefined, error: undefined };

export interface LookParts {
  readonly pipelines: () => readonly KnownPipeline[];
  readonly log: (url: string) => Promise<Log>;
  readonly now: () => number;
  readonly pause: (ms: number) => Promise<void>;
}

/** How long who asks first waits for places that do not answer. */
const firstLookMs = 2_000;

/**
 * Asks the places of all pipelines what they keep, no more often than every `limit.overviewLookMs` and only when somebody
 * wants to know. Who asks while a look is under way gets what the one before it found.
 */
export class Looks {
  readonly #parts: LookParts;
  readonly #logs = new Map<string, Promise<Log>>();
  readonly #kept = new Map<string, Kept>();
  #beganMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;
  #hasLooked = false;

  constructor(parts: LookParts) {
    this.#parts = parts;
  }

  of(pipeline: string): Kept {
    return this.#kept.get(pipeline) ?? nothingKept;
  }

  async refresh(): Promise<void> {
    const now = this.#parts.now();
    const isOld = now - this.#beganMs >= limit.overviewLookMs || now < this.#beganMs;
    if (this.#looking === undefined && isOld) {
      this.#beganMs = now;
      this.#looking = this.#look().finally(() => {
        this.#looking = undefined;
        this.#hasLooked = true;
      });
    }
    if (this.#hasLooked || this.#looking === undefined) return;
    await Promise.race([this.#looking, this.#parts.pause(firstLookMs)]);
  }

  /** Never rejects: what cannot be asked is kept as an error. One after another, so that no place is asked much at once. */
  async #look(): Promise<void> {
    for (const known of this.#parts.pipelines()) {
      const before = this.of(known.name);
      const kept = await this.#keptOf(known).catch((error: unknown) => ({ ...before, error: toMillraceError(error) }));
      this.#kept.set(known.name, kept);
    }
  }

  #keptOf(known: KnownPipeline): Promise<Kept> {
    const { name, place } = known;
    return place.ask(async ({ records }) => {
      const [newest] = await records.ledger({ pipeline: name, limit: 1 });
      const openRejects = await records.countRejects({ pipeline: name, state: "open" });
      const lagRecords = await this.#lagOf(known, () => records.checkpoints(name));
      const last =
        newest === undefined
          ? undefined
          : { atMs: Date.parse(newest.committedAt), source: newest.source, counts: newest };
      return { last, openRejects, lagRecords, error: undefined };
    });
  }

  async #lagOf(
    { kind, pipeline }: KnownPipeline,
    checkpoints: () => Promise<readonly Checkpoint[]>,
  ): Promise<number | undefined> {
    if (kind === "upload" || !isLog(parsePlace(pipeline.from))) return undefined;
    const log = await this.#log(pipeline.from);
    try {
      const lanes = await log.lanes();
      const known = await checkpoints();
      return lanes.reduce((sum, lane) => sum + lagOf(lane, known), 0);
    } catch (error) {
      throw log.explain(error);
    }
  }

  #log(url: string): Promise<Log> {
    const known = this.#logs.get(url);
    if (known !== undefined) return known;
    const opening = this.#parts.log(url);
    this.#logs.set(url, opening);
    opening.catch(() => this.#logs.delete(url)); // its caller is told; the next look tries again
    return opening;
  }
}

/** Where offsets have gaps it is the smaller of two counts, each of which may be too large. */
function lagOf(lane: LogLane, checkpoints: readonly Checkpoint[]): number {
  const own = checkpoints.find(
    ({ lane: id, source }) => source.endsWith(`/${lane.name}`) && id.includes(lane.incarnation),
  );
  const offset = own?.position["offset"];
  const offsets = lane.end - (typeof offset === "string" ? BigInt(offset) : lane.start);
  const records = lane.appended === undefined ? offsets : lane.appended - BigInt(own?.position.row ?? 0);
  const lag = records < offsets ? records : offsets;
  return lag < 0n ? 0 : Number(lag);
}
