import { createHash } from "node:crypto";
import { MillraceError } from "../core/error.ts";
import type { Insight, InsightParameter } from "../core/insight.ts";
import { parameterText, typeWords } from "../core/insight-value.ts";
import { limit } from "../core/limit.ts";
import { nearestName } from "../formats/nearest.ts";
import type { Sink } from "../ports/sink.ts";
import { type InsightAnswer, InsightCache } from "./insight-cache.ts";
import { checkInsight } from "./insight-check.ts";
import { AnswerTooLarge, type InsightQuestion, readAnswer } from "./insight-rows.ts";
import { TableVersion } from "./insight-versions.ts";
import { Slots } from "./slots.ts";

/** A parameter, or `limit`, has a value that cannot be used, is missing, or is not known. Its message names no field. */
export class InsightParameterError extends Error {
  override readonly name = "InsightParameterError";
  readonly field: string;
  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** There is no insight of the name. */
export class InsightUnknownError extends Error {
  override readonly name = "InsightUnknownError";
  readonly insight: string;
  constructor(insight: string, known: readonly string[]) {
    const near = nearestName(insight, known);
    super(`There is no insight ${JSON.stringify(insight)}${near === undefined ? "" : `; did you mean ${near}?`}`);
    this.insight = insight;
  }
}

export interface InsightsOptions {
  readonly insights: readonly Insight[];
  /** Open; the insights do not close it. */
  readonly sink: Sink;
  /** Milliseconds; steady or not. */
  now(): number;
}

/** An insight with what of it does not change. */
interface Plan {
  readonly insight: Insight;
  readonly standards: ReadonlyMap<string, string | null>;
  /** Undefined for one that declares no table: its answers are never given again. */
  readonly version: TableVersion | undefined;
}

/** A question with the key of its answer. */
interface Asked extends InsightQuestion {
  readonly key: string;
  readonly version: TableVersion | undefined;
}

/** A query under way, that all who ask the same meanwhile wait for. */
interface Flight {
  readonly version: number;
  readonly answer: Promise<InsightAnswer>;
}

/**
 * Named queries over a sink, answered as JSON and kept while their tables do not change. An answer holds all that
 * this process had committed (see `changed`) when it was asked for, and what others had committed until twice
 * `limit.insightVersionMs` before.
 */
export class Insights {
  readonly all: readonly Insight[];
  readonly #plans: ReadonlyMap<string, Plan>;
  readonly #versions: readonly TableVersion[];
  readonly #sink: Sink;
  readonly #now: () => number;
  readonly #cache = new InsightCache(limit.insightCacheEntries, limit.insightCacheBytes);
  readonly #flights = new Map<string, Flight>();
  readonly #slots = new Slots(limit.insightQueries);
  #queries = 0;

  constructor(options: InsightsOptions) {
    this.all = options.insights;
    this.#sink = options.sink;
    this.#now = () => options.now();
    const versions = new Map<string, TableVersion>();
    const plans = this.all.map((insight) => planOf(insight, versions, this.#sink, this.#now));
    this.#plans = new Map(plans.map((plan) => [plan.insight.name, plan]));
    this.#versions = [...versions.values()];
  }

  /**
   * Tries every insight on the tables, reading no rows. Throws INSIGHT_INVALID, naming the file, for the first whose SQL
   * is refused or whose columns are not those declared; the sink's error when it cannot be asked.
   */
  async check(): Promise<void> {
    for (const { insight, standards } of this.#plans.values()) await checkInsight(this.#sink, insight, standards);
  }

  /**
   * The kept answer, when there is one that may be given without asking the sink for anything. Throws as `answer` does
   * for what is wrong with the question.
   */
  cached(name: string, given: Readonly<Record<string, string>>, rowsMax: number): InsightAnswer | undefined {
    return this.cachedAgain(name, given, rowsMax)();
  }

  /** The same, to be called whenever the same question is asked again. */
  cachedAgain(name: string, given: Readonly<Record<string, string>>, rowsMax: number): () => InsightAnswer | undefined {
    const { key, version } = this.#ask(name, given, rowsMax);
    return () => (version?.isFresh() === true ? this.#kept(key, version) : undefined);
  }

  /**
   * The first `rowsMax` records as JSON, an array of objects with the declared columns. `given` are the parameters as
   * they stand in a query string. Throws InsightUnknownError; InsightParameterError for a parameter, or for a limit
   * (named `limit`) that is no whole number from 0 on or brings more than `limit.insightBytes`; otherwise the sink's error.
   */
  async answer(name: string, given: Readonly<Record<string, string>>, rowsMax: number): Promise<InsightAnswer> {
    const asked = this.#ask(name, given, rowsMax);
    if (asked.version === undefined) return this.#read(asked);
    await asked.version.refresh();
    return this.#kept(asked.key, asked.version) ?? this.#join(asked, asked.version);
  }

  /** Tells that rows of the table were committed by this process, so that no later answer is older. */
  changed(table: string): void {
    for (const version of this.#versions) if (version.tables.includes(table)) version.changed();
  }

  #ask(name: string, given: Readonly<Record<string, string>>, rowsMax: number): Asked {
    const plan = this.#plans.get(name);
    if (plan === undefined) throw new InsightUnknownError(name, [...this.#plans.keys()]);
    if (!Number.isSafeInteger(rowsMax) || rowsMax < 0 || rowsMax > limit.insightRows) {
      throw new InsightParameterError("limit", `must be a whole number from 0 to ${limit.insightRows}`);
    }
    const values = valuesOf(plan, given);
    const { insight, version } = plan;
    return { insight, values, rowsMax, version, key: keyOf(name, values, rowsMax) };
  }

  #kept(key: string, version: TableVersion): InsightAnswer | undefined {
    const kept = this.#cache.get(key);
    if (kept === undefined) return undefined;
    const ageMs = this.#now() - kept.readAtMs;
    // An age below zero is that of a clock that was set back.
    if (kept.version === version.number && ageMs >= 0 && ageMs < limit.insightAgeMs) return kept.answer;
    this.#cache.remove(key);
    return undefined;
  }

  /** Reads the answer, or waits for another who is reading it since the tables last changed. */
  #join(asked: Asked, version: TableVersion): Promise<InsightAnswer> {
    const { key } = asked;
    const other = this.#flights.get(key);
    if (other?.version === version.number) return other.answer;
    // Taken before the query: what is committed meanwhile makes the answer an old one, though it may hold it already.
    const taken = { version: version.number, readAtMs: this.#now() };
    const land = (): boolean => this.#flights.get(key)?.version === taken.version && this.#flights.delete(key);
    const answer = this.#read(asked).then(
      (read) => {
        if (land()) this.#cache.put(key, { answer: read, ...taken });
        return read;
      },
      (error: unknown) => {
        land();
        throw error;
      },
    );
    this.#flights.set(key, { version: taken.version, answer });
    return answer;
  }

  async #read(question: InsightQuestion): Promise<InsightAnswer> {
    if (this.#queries >= limit.insightQueries + limit.insightQueriesWaiting) throw this.#crowded();
    this.#queries += 1;
    try {
      const body = await this.#slots.hold(() => readAnswer(this.#sink, question));
      return { body, etag: `"${createHash("sha256").update(body).digest("base64url")}"` };
    } catch (error) {
      if (!(error instanceof AnswerTooLarge)) throw error;
      throw new InsightParameterError("limit", `brings more than ${limit.insightBytes} bytes: ask for fewer records`);
    } finally {
      this.#queries -= 1;
    }
  }

  #crowded(): MillraceError {
    return new MillraceError("SINK_BUSY", `${this.#sink.shown} is busy with other insights`, {
      remedy: `${limit.insightQueries} are read at the same time and ${limit.insightQueriesWaiting} wait: ask again later.`,
    });
  }
}

/** Insights over the same tables share one version, and with it the looks at the ledger. */
function planOf(insight: Insight, versions: Map<string, TableVersion>, sink: Sink, now: () => number): Plan {
  const standards = new Map(insight.parameters.map((parameter) => [parameter.name, standardOf(parameter)]));
  if (insight.tables.length === 0) return { insight, standards, version: undefined };
  const tables = insight.tables.toSorted();
  const key = JSON.stringify(tables);
  const version = versions.get(key) ?? new TableVersion(tables, sink, now);
  versions.set(key, version);
  return { insight, standards, version };
}

function standardOf(parameter: InsightParameter): string | null {
  return parameter.default === undefined ? null : (parameterText(parameter, String(parameter.default)) ?? null);
}

/** The parameters' values, each in the one form of its type, so that one question has one key. */
function valuesOf({ insight, standards }: Plan, given: Readonly<Record<string, string>>): Map<string, string | null> {
  const values = new Map<string, string | null>();
  let known = 0;
  for (const parameter of insight.parameters) {
    const { name } = parameter;
    const text = Object.hasOwn(given, name) ? given[name] : undefined;
    if (text === undefined && parameter.required) throw new InsightParameterError(name, "is required");
    if (text !== undefined) known += 1;
    const value = text === undefined ? (standards.get(name) ?? null) : parameterText(parameter, text);
    if (value === undefined) throw new InsightParameterError(name, `must be ${typeWords(parameter)}`);
    values.set(name, value);
  }
  if (known < Object.keys(given).length) throw unknownParameter(insight, given);
  return values;
}

function unknownParameter({ name, parameters }: Insight, given: Readonly<Record<string, string>>): Error {
  const names = parameters.map((parameter) => parameter.name);
  const [surplus = ""] = Object.keys(given).filter((one) => !names.includes(one));
  const known = names.length === 0 ? "which takes none" : `whose parameters are ${names.join(", ")}`;
  return new InsightParameterError(surplus, `is not known to ${name}, ${known}`);
}

/** Lengths stand before texts: no value can look like the end of itself and the beginning of the next. */
function keyOf(name: string, values: ReadonlyMap<string, string | null>, rowsMax: number): string {
  let key = `${name} ${rowsMax}`;
  for (const value of values.values()) key += value === null ? " -" : ` ${value.length}:${value}`;
  return key;
}
