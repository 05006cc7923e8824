import { setTimeout as pause } from "node:timers/promises";
import { type Fleet, halt, type Infra, type Part, startFleet, startInfra } from "../../scripts/fleet/topology.ts";
import type { Log } from "../../src/ports/log.ts";
import { type Books, openStream, rejectedTexts, settledBooks, storedEvents } from "./books.ts";
import { Traffic } from "./traffic.ts";

export interface SoakOptions {
  readonly folder: string;
  readonly brokers: 1 | 3;
  readonly rounds: number;
  /** Killed in a round. */
  readonly kills: number;
  /** A poison record for so many events. */
  readonly poisonEvery: number;
  /** Decides who is killed when; what the machine makes of it is another thing. */
  readonly seed: number;
  readonly say: (text: string) => void;
}

const vehicles = 40;
const delayMs = 60;
/** Between two kills, and how long what was killed stays away, at most. */
const betweenMs = 2_500;
const awayMs = 1_500;
const restartMs = 90_000;
const largeBytes = 10 * 2 ** 20;

/**
 * The whole fleet under load, and producers, consumers, brokers and PostgreSQL killed at random and started again. After
 * each round every event that was answered is in the table once, and the books balance; throws when not.
 */
export async function soakFleet(options: SoakOptions): Promise<void> {
  const { folder, brokers, rounds, seed, say } = options;
  say(`seed ${seed}`);
  const random = randomOf(seed);
  const infra = await startInfra(folder, brokers);
  let fleet: Fleet | undefined;
  try {
    fleet = await startFleet(folder, infra);
    const stream = await openStream(infra.stream);
    try {
      const soak = new Soak(options, infra, fleet, stream, random);
      for (let round = 1; round <= rounds; round += 1) await soak.round(round);
    } finally {
      await stream.close();
    }
  } finally {
    await halt([...(fleet?.parts ?? []), ...infra.parts]);
  }
}

class Soak {
  readonly #options: SoakOptions;
  readonly #infra: Infra;
  readonly #fleet: Fleet;
  readonly #stream: Log;
  readonly #random: () => number;
  readonly #answered = new Set<string>();
  readonly #poison: string[] = [];

  constructor(options: SoakOptions, infra: Infra, fleet: Fleet, stream: Log, random: () => number) {
    this.#options = options;
    this.#infra = infra;
    this.#fleet = fleet;
    this.#stream = stream;
    this.#random = random;
  }

  async round(round: number): Promise<void> {
    const { kills, say } = this.#options;
    const name = `SOAK${String(round).padStart(4, "0")}`;
    const traffic = new Traffic({ url: this.#fleet.url, vehicles, delayMs, name, random: Math.random });
    let toll: string[] = [];
    try {
      toll = await this.#killSome(kills, round, traffic);
    } finally {
      await traffic.stop();
    }
    for (const event of traffic.answered) this.#answered.add(event);
    const status = await this.#postLarge();
    if (status !== 413) throw new Error(`an event of ${largeBytes} bytes was answered with ${status}`);
    const books = await settledBooks(this.#stream, this.#infra.table);
    await this.#compare(books);
    say(
      `round ${round}: ${traffic.answered.size} events, ${traffic.retries} sent again, killed ${toll.join(" ")}; ${shown(books)}`,
    );
  }

  async #killSome(kills: number, round: number, traffic: Traffic): Promise<string[]> {
    const { poisonEvery } = this.#options;
    const victims = [...this.#fleet.parts.filter(({ name }) => name !== "nginx"), ...this.#infra.parts];
    const toll: string[] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      await pause(betweenMs * this.#random());
      for (let poisoned = 0; poisoned <= traffic.answered.size / poisonEvery / kills; poisoned += 1) {
        await this.#appendPoison(`poison ${round} ${kill} ${poisoned}`);
      }
      const victim = victims[Math.floor(this.#random() * victims.length)] as Part;
      // Now and then two at once.
      const other = this.#random() < 0.25 ? victims[Math.floor(this.#random() * victims.length)] : undefined;
      const dead = [...new Set(other === undefined ? [victim] : [victim, other])];
      toll.push(dead.map(({ name }) => name).join("+"));
      await Promise.all(dead.map(({ server }) => server.kill9()));
      await pause(awayMs * this.#random());
      await Promise.all(dead.map((part) => startAgain(part)));
    }
    return toll;
  }

  /** Neither JSON nor text. Into the stream by whoever else writes to it. */
  async #appendPoison(text: string): Promise<void> {
    const value = Buffer.concat([Buffer.from([0xff, 0x00]), Buffer.from(`${text};`)]);
    await this.#stream.append([{ value, timeMs: Date.now() }]);
    this.#poison.push(`${text};`);
  }

  async #postLarge(): Promise<number> {
    const body = JSON.stringify({ vin: "A".repeat(largeBytes) });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${this.#fleet.url}/events`, { method: "POST", headers, body });
    await answer.arrayBuffer();
    return answer.status;
  }

  async #compare(books: Books): Promise<void> {
    const stored = await storedEvents(this.#infra.table);
    const rows = new Set(stored);
    const missing = [...this.#answered].filter((event) => !rows.has(event));
    const mistakes = [
      missing.length === 0
        ? ""
        : `${missing.length} answered events are missing, such as ${missing.slice(0, 3).join(", ")}`,
      stored.length === this.#answered.size ? "" : `${stored.length} rows of ${this.#answered.size} answered events`,
      books.read === books.appended ? "" : "records were read twice",
      books.unbalanced === 0 ? "" : "the ledger does not balance",
      books.loaded === books.rows ? "" : "the ledger counts other rows than the table has",
      books.rejected === books.rejects ? "" : "the ledger counts other rejects than are kept",
      ...(await this.#missingPoison(books)),
    ].filter((mistake) => mistake !== "");
    if (mistakes.length > 0) throw new Error(`${mistakes.join("; ")}: ${shown(books)}`);
  }

  async #missingPoison({ rejects }: Books): Promise<string[]> {
    const texts = await rejectedTexts(this.#infra.table);
    const missing = this.#poison.filter((poison) => !texts.some((text) => text.endsWith(poison)));
    const unknown =
      rejects === this.#poison.length ? [] : [`${rejects} rejects of ${this.#poison.length} poison records`];
    return [...unknown, ...missing.map((poison) => `${poison} is no reject`)];
  }
}

/** What needs another one that is away as well may have to be started more than once, as a supervisor would. */
async function startAgain({ server }: Part): Promise<void> {
  for (const deadline = Date.now() + restartMs; ; ) {
    try {
      return await server.start();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

function shown(books: Books): string {
  return Object.entries(books)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

/** Mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
